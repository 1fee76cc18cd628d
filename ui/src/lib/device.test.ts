import { beforeAll, describe, expect, it } from 'vitest';

import en from '../../messages/en.json';
import codeType from './bindings/Code.ts?raw';
import type { Code } from './bindings/Code';
import { systemOf, type System } from './device';
import { canCheck, remedyOf } from './errors';
import { failureWord, loadFailureWords } from './i18n/failures.svelte';
import { useLanguage } from './i18n/words.svelte';

const SYSTEMS: System[] = ['linux', 'windows', 'macos', 'android', 'ios'];
const crates = import.meta.glob<string>(['../../../crates/card-link/src/{pcsc_*,phone/*}.rs', '!**/tests.rs', '!**/simulated.rs'], { query: '?raw', import: 'default', eager: true });
const crate = (which: RegExp): string => Object.entries(crates).filter(([path]) => which.test(path)).map(([, text]) => text).join('\n');
const codes = [...(codeType.split('export type')[1] ?? '').matchAll(/"([a-z-]+)"/g)].map((match) => match[1] as Code);

const DESKTOPS: System[] = ['linux', 'windows', 'macos'];
/** What only these can report. All other codes come of cards, the bank or the app, which are the same everywhere. */
const ONLY: [RegExp, System[]][] = [
  [/^(service-|reader-(none|denied)$)/, DESKTOPS],
  [/^nfc-none$/, ['android', 'ios']],
  // iOS has no switch for it.
  [/^nfc-off$/, ['android']],
  // The other systems' stores are always there (`crates/key-vault/src/os.rs`).
  [/^keystore-missing$/, ['linux']],
  // Named by variables, and by a desktop of Linux (`src-tauri/src/parts.rs`); what other systems set is not looked at.
  [/^proxy-away$/, DESKTOPS],
];
const only = (code: Code): [RegExp, System[]] | undefined => ONLY.find(([which]) => which.test(code));
const reports = (system: System, code: Code): boolean => only(code)?.[1].includes(system) ?? true;

beforeAll(loadFailureWords);

describe('the system', () => {
  it('is known by what its web view calls itself', () => {
    const apple = 'AppleWebKit/605.1.15 (KHTML, like Gecko)';
    expect(systemOf(`Mozilla/5.0 (X11; Linux x86_64) ${apple}`, 0)).toBe('linux');
    expect(systemOf(`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${apple}`, 10)).toBe('windows');
    expect(systemOf(`Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${apple}`, 0)).toBe('macos');
    expect(systemOf(`Mozilla/5.0 (Linux; Android 14; Pixel 8) ${apple}`, 5)).toBe('android');
    expect(systemOf(`Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) ${apple}`, 5)).toBe('ios');
    expect(systemOf(`Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${apple}`, 5), 'an iPad').toBe('ios');
  });

  it('has its own way to mend what differs from one to another, and never a stranger’s', () => {
    const names: [System, RegExp][] = [['linux', /pcscd|polkit|GNOME/], ['windows', /Windows|Device Manager|Services/], ['macos', /macOS|the Mac|Keychain Access/], ['ios', /iPhone/]];
    for (const language of ['zh-CN', 'zh-TW', 'en'] as const) {
      useLanguage(language);
      for (const code of ['service-down', 'reader-none', 'nfc-none', 'keystore-locked', 'clock-wrong', 'proxy-away'] as const) {
        const there = SYSTEMS.filter((system) => reports(system, code));
        const told = there.map((system) => remedyOf(code, system));
        expect(new Set(told).size, `${code} in ${language}`).toBe(there.length);
        for (const text of told) expect(text, code).not.toBe('');
      }
    }
    useLanguage('en');
    for (const [owner, name] of names) {
      for (const system of SYSTEMS.filter((other) => other !== owner)) {
        for (const text of Object.values(en.on[system])) expect(text, `${system} is told of ${owner}`).not.toMatch(name);
      }
    }
  });

  it('speaks of codes that it can report, and of all that only some can', () => {
    for (const [which] of ONLY) expect(codes.some((code) => which.test(code)), String(which)).toBe(true);
    for (const system of SYSTEMS) {
      const told = Object.keys(en.on[system]);
      for (const code of told) expect(codes, `${system}: ${code}`).toContain(code);
      expect(told.filter((code) => !reports(system, code as Code)), `${system} never shows these`).toEqual([]);
      const own = codes.filter((code) => only(code) && reports(system, code));
      expect(own.filter((code) => !told.includes(code)), `${system} has no way of its own`).toEqual([]);
    }
  });

  it('reports of readers what its part of the code can', () => {
    const [desk, phone] = [crate(/pcsc_/), crate(/phone\//)];
    expect(desk).toMatch(/LinkError::ServiceDown/);
    expect(phone).toMatch(/LinkError::NfcOff/);
    expect(desk, 'a desktop has no NFC of its own').not.toMatch(/LinkError::Nfc/);
    expect(phone, 'a phone has no reader service').not.toMatch(/LinkError::(Service|Denied)/);
  });

  it('speaks of all other codes as everywhere', () => {
    expect(remedyOf('funds-short', 'windows')).toBe(failureWord('code.funds-short.remedy'));
  });
});

describe('the checks of the settings', () => {
  it('are offered for what they can find, and for nothing else', () => {
    for (const code of ['service-down', 'service-hung', 'reader-none', 'reader-busy', 'keystore-locked', 'offline', 'certificate-foreign', 'network-login', 'clock-wrong'] as const) expect(canCheck(code), code).toBe(true);
    for (const code of ['card-lost', 'password-wrong', 'bank-busy', 'keystore-emptied', 'load-open', 'internal'] as const) expect(canCheck(code), code).toBe(false);
  });
});
