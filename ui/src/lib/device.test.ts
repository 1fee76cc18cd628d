import { beforeAll, describe, expect, it } from 'vitest';

import en from '../../messages/en.json';
import codeType from './bindings/Code.ts?raw';
import type { Code } from './bindings/Code';
import { systemOf, type System } from './device';
import { canCheck, remedyOf } from './errors';
import { failureWord, loadFailureWords } from './i18n/failures.svelte';
import { useLanguage } from './i18n/words.svelte';

const SYSTEMS: System[] = ['linux', 'windows', 'macos', 'android', 'ios'];
const codes = [...(codeType.split('export type')[1] ?? '').matchAll(/"([a-z-]+)"/g)].map((match) => match[1] as Code);

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
      for (const code of ['service-down', 'reader-none', 'keystore-locked', 'clock-wrong', 'proxy-away'] as const) {
        const told = SYSTEMS.map((system) => remedyOf(code, system));
        expect(new Set(told).size, `${code} in ${language}`).toBe(SYSTEMS.length);
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

  it('speaks of codes that there are, and of others as everywhere', () => {
    for (const system of SYSTEMS) for (const code of Object.keys(en.on[system])) expect(codes, `${system}: ${code}`).toContain(code);
    expect(remedyOf('funds-short', 'windows')).toBe(failureWord('code.funds-short.remedy'));
  });
});

describe('the checks of the settings', () => {
  it('are offered for what they can find, and for nothing else', () => {
    for (const code of ['service-down', 'service-hung', 'reader-none', 'reader-busy', 'keystore-locked', 'offline', 'certificate-foreign', 'network-login', 'clock-wrong'] as const) expect(canCheck(code), code).toBe(true);
    for (const code of ['card-lost', 'password-wrong', 'bank-busy', 'keystore-emptied', 'load-open', 'internal'] as const) expect(canCheck(code), code).toBe(false);
  });
});
