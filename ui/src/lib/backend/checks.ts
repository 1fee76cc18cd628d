import type { Code } from '../bindings/Code';
import type { DiagnosticPart } from '../bindings/DiagnosticPart';
import type { DiagnosticView } from '../bindings/DiagnosticView';
import type { Hop } from '../bindings/Hop';
import type { Reply } from '../bindings/Reply';
import type { TimesView } from '../bindings/TimesView';

/** What the scripted core finds when it checks itself. */

const PARTS: readonly [DiagnosticPart, number][] = [
  ['service', 0], ['reader', 0], ['other-programs', 12], ['keystore', 8], ['packages', 23], ['clock', 0],
  ['dns', 6], ['proxy', 0], ['tls', 0], ['security-server', 41], ['transaction-server', 38],
];

type Fault = Partial<Pick<DiagnosticView, 'code' | 'after' | 'params' | 'elapsedMs'>>;
const bad = (code: Code, params: Record<string, string> = {}): Fault => ({ code, params });
const after = (part: DiagnosticPart): Fault => ({ after: part });
const host = { host: 'bank.example' };

const NO_READER: Partial<Record<DiagnosticPart, Fault>> = { reader: bad('reader-none'), 'other-programs': after('reader') };

/** What each scene finds wrong; any other: the transaction server too late, and the clock an hour behind. */
const FAULTS: Record<string, Partial<Record<DiagnosticPart, Fault>>> = {
  'settings-well': {},
  'settings-fresh': {},
  'settings-no-reader': NO_READER,
  'settings-waits': NO_READER,
  'settings-no-service': { service: bad('service-down'), reader: after('service'), 'other-programs': after('service') },
  'settings-hung-service': { service: bad('service-hung'), reader: after('service'), 'other-programs': after('service') },
  'settings-no-name': {
    'other-programs': { after: null }, clock: after('dns'), dns: bad('name-unknown', host), tls: after('dns'), 'security-server': after('dns'), 'transaction-server': after('dns'), packages: bad('package-none'),
  },
  'settings-looked-into': {
    'other-programs': bad('reader-busy'), keystore: bad('keystore-locked'), packages: bad('package-signer', { industry: '0009' }), clock: after('tls'), proxy: { params: { proxy: 'proxy.example:3128' } },
    tls: bad('certificate-foreign', host), 'security-server': after('tls'), 'transaction-server': after('tls'),
  },
};
const USUAL: (typeof FAULTS)[string] = { 'other-programs': { after: null }, clock: bad('clock-wrong', { off_s: '-3600' }), 'transaction-server': { ...bad('bank-timeout'), elapsedMs: 10_000 } };

/** Scenes that are shown with their checks done. */
export const isChecked = (scene: string): boolean => scene in FAULTS;

export function diagnostics(scene: string): Reply {
  const faults = FAULTS[scene] ?? USUAL;
  const parts = PARTS.map(([part, elapsedMs]): DiagnosticView => {
    const fault = faults[part];
    const state = fault?.code ? 'bad' : fault && 'after' in fault ? 'skipped' : 'ok';
    return { part, state, code: null, after: null, params: {}, elapsedMs: state === 'skipped' ? 0 : elapsedMs, ...fault };
  });
  const lines = parts.map(({ part, state, code }) => `${part}: ${code ?? state}`);
  return { reply: 'diagnostics', parts, report: ['Tapfill 0.1.0 on linux x86_64, 2026-11-23 10:00 UTC', ...lines].join('\n') };
}

const hop = (name: Hop, p50Ms: number, p95Ms: number): TimesView['hops'][number] => ({ hop: name, p50Ms, p95Ms });

export function times(): TimesView[] {
  return [
    { kind: 'topup', runs: 24, hops: [hop('card', 612.4, 791), hop('app', 21.3, 44), hop('cipher', 0.4, 0.9), hop('network', 184, 402.7), hop('bank', 96.2, 171), hop('total', 918, 1342.4)] },
    { kind: 'balance', runs: 41, hops: [hop('card', 402.7, 512), hop('app', 4.1, 9.8), hop('total', 407, 522)] },
  ];
}
