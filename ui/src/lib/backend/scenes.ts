import type { AppView } from '../bindings/AppView';
import type { CardView } from '../bindings/CardView';
import type { Code } from '../bindings/Code';
import type { ErrorView } from '../bindings/ErrorView';
import type { HistoryEntry } from '../bindings/HistoryEntry';
import type { LogEntryView } from '../bindings/LogEntryView';
import type { MoneyPlace } from '../bindings/MoneyPlace';
import type { ReaderKind } from '../bindings/ReaderKind';
import type { ReceiptView } from '../bindings/ReceiptView';
import type { Retry } from '../bindings/Retry';
import type { StepState } from '../bindings/StepState';
import type { StepView } from '../bindings/StepView';
import type { TransactionKind } from '../bindings/TransactionKind';
import type { TransactionView } from '../bindings/TransactionView';
import { COLOURS } from '../cards';
import { entry as list, queueScenes } from './scenes-queue';
import { words } from './scenes-words';

/** Views for every state a person can meet, for tests and for looking at the screens in a browser. */

const MINUTE = 60_000;
const NAME = { 'zh-CN': '公交钱包', 'zh-TW': '公車錢包', en: 'Transit purse' };
const PROOF = `r=TF-7K2M-91QX&c=4471&a=5000&o=12850&n=17850&t=1795428000000&s=${'0123456789abcdef'.repeat(8)}`;
const PACKAGES: AppView['packages'] = [
  { industry: '0001', name: NAME, version: 3, signer: '7b1e90c4', covers: ['balance', 'topup', 'resume', 'activate'], applications: ['A00000000386980701'] },
  { industry: 'TUNI', name: { 'zh-CN': '交通联合卡', 'zh-TW': '交通聯合卡', en: 'T-Union card' }, version: 1, signer: null, covers: ['balance'], applications: ['A000000632010105'] },
];

export function baseView(now = Date.now()): AppView {
  return {
    revision: 1,
    phase: 'ready',
    trouble: null,
    network: 'online',
    reader: { state: 'empty', name: 'ACS ACR1252 Dual Reader', readers: ['ACS ACR1252 Dual Reader', 'Virtual PCD 00 00'], chosen: null },
    terminal: { id: '310000005206', keyCheckValue: '8CA64D', keyExpiresMs: now + 22 * 60 * MINUTE, suite: 3 },
    purses: [{ industry: '0001', name: NAME, tail: '4471', mark: null, balance: 12_850, seenMs: now - 4 * MINUTE, expiry: '2034-12-31', active: true, label: null, colour: 'jade' }],
    pending: [], recent: history(now).slice(1, 6),
    transaction: null, queues: [], queue: null, request: null,
    packages: PACKAGES, refusedPackages: [],
    settings: { language: 'zh-CN', theme: 'light', textSize: 100, lock: false, sound: true, tray: false, notices: true },
    desk: { tray: true }, update: null,
    about: { version: '0.1.0', bank: words().bank, receiptPage: 'https://bank.example/receipt?', development: false },
  };
}

export function failure(code: Code, money: MoneyPlace, retry: Retry, params: Record<string, string> = {}): ErrorView {
  return { code, params, retry, money, reference: money === 'none' || money === 'account' ? null : 'TF-7K2M-91QX' };
}

/** As terminals in China write it. */
function chinaTime(ms: number): string {
  return new Date(ms + 480 * MINUTE).toISOString().slice(0, 19);
}

function log(now: number): LogEntryView[] {
  const entry = (kind: LogEntryView['kind'], amount: number, hoursAgo: number, terminal: string, balanceAfter: number): LogEntryView =>
    ({ kind, amount, time: chinaTime(now - hoursAgo * 60 * MINUTE), terminal, balanceAfter });
  return [
    entry('purchase', 200, 1, '310000000411', 12_850), entry('load', 5000, 9, '310000005206', 13_050), entry('purchase', 400, 26, '310000000387', 8050),
    entry('purchase', 200, 33, '310000000411', 8450), entry('load', 5000, 96, '310000005206', 8650), entry('purchase', 350, 120, '310000000387', 3650),
  ];
}

export function card(now = Date.now(), patch: Partial<CardView> = {}): CardView {
  return { industry: '0001', name: NAME, tail: '4471', mark: null, balance: 12_850, expiry: '2034-12-31', active: true, log: log(now), ...patch };
}

export function receipt(now = Date.now(), patch: Partial<ReceiptView> = {}): ReceiptView {
  return { amount: 5000, oldBalance: 12_850, newBalance: 17_850, tail: '4471', timeMs: now, reference: 'TF-7K2M-91QX', proof: patch.place === undefined ? PROOF : null, place: 'on-card', ...patch };
}

export function steps(...states: StepState[]): StepView[] {
  const times = [212, 604, 180, 340];
  return (['read', 'approve', 'write', 'confirm'] as const).slice(0, states.length)
    .map((name, i) => ({ name, state: states[i] ?? 'waiting', elapsedMs: states[i] === 'done' ? (times[i] ?? null) : null }));
}

export function transaction(kind: TransactionKind, patch: Partial<TransactionView> = {}): TransactionView {
  return {
    id: '00112233445566778899aabbccddeeff', kind, stage: 'wait-card', card: null, sms: null, pinDigits: 0, limits: null, amount: null, asked: null, steps: [],
    place: kind === 'topup' ? 'account' : 'none', canCancel: true, error: null, receipt: null, resume: null, contact: null, refund: false, busy: false, ...patch,
  };
}

export function history(now = Date.now()): HistoryEntry[] {
  const entry = (n: number, kind: TransactionKind, minutesAgo: number, state: HistoryEntry['state'], patch: Partial<ReceiptView>): HistoryEntry =>
    ({ id: String(n).padStart(32, '0'), kind, startedMs: now - minutesAgo * MINUTE, state, receipt: receipt(now - minutesAgo * MINUTE, patch), error: null });
  return [
    { ...entry(1, 'topup', 12, 'unfinished', { oldBalance: null, newBalance: null, place: 'in-transit' }), error: failure('card-lost', 'in-transit', 'resume') },
    entry(2, 'topup', 540, 'done', { reference: 'TF-2B9C-44LD' }),
    entry(3, 'topup', 1600, 'not-done', { amount: 20_000, reference: null, newBalance: null, place: 'account' }),
    entry(4, 'resume', 5000, 'done', { amount: 10_000, reference: 'TF-9Q3F-70MW' }),
    entry(6, 'topup', 7000, 'not-done', { amount: 3000, oldBalance: null, newBalance: null, reference: 'TF-5H8K-22QP', place: 'account' }),
    entry(7, 'topup', 8000, 'not-done', { amount: 2000, oldBalance: null, newBalance: null, reference: 'TF-3M6N-87RT', place: 'written-off' }),
    entry(5, 'activate', 9000, 'done', { amount: null, oldBalance: null, newBalance: null, reference: null, tail: '8826', place: 'none' }),
  ];
}

type Scene = (now: number) => Partial<AppView>;
const onCard = { state: 'card', name: 'ACS ACR1252 Dual Reader', readers: ['ACS ACR1252 Dual Reader'], chosen: null } as const;
const reader = { ...onCard, readers: [...onCard.readers] };
const show = (patch: (now: number) => TransactionView): Scene => (now) => ({ reader, transaction: patch(now) });
const sms = (now: number): TransactionView['sms'] => ({ phoneMasked: '138 •••• 6021', resendAtMs: now + 42_000, expiresAtMs: now + 5 * MINUTE, tail: '4471' });
const pending = (now: number, place: MoneyPlace): AppView['pending'] =>
  [{ id: '1'.padStart(32, '0'), amount: 5000, tail: '4471', reference: place === 'unsure' ? null : 'TF-7K2M-91QX', startedMs: now - 12 * MINUTE, place }];
/** The same with its record at home. */
const waiting = (now: number, place: MoneyPlace): Pick<AppView, 'pending' | 'recent'> => ({ pending: pending(now, place), recent: history(now).slice(0, 5) });
const limits = { min: 100, max: 87_150 };
/** As the core has it: a transaction that waits says for what. */
const awaits = (kind: TransactionKind, code: Code, patch: Partial<TransactionView> = {}): TransactionView =>
  transaction(kind, { error: failure(code, kind === 'topup' ? 'account' : 'none', 'wait'), ...patch });
const without = (state: ReaderKind): AppView['reader'] => ({ state, name: null, readers: [], chosen: null });
const torn = failure('card-lost', 'in-transit', 'resume', {});

export const scenes: Record<string, Scene> = {
  starting: () => ({ phase: 'starting', terminal: null, purses: [], packages: [] }),
  welcome: () => ({ phase: 'welcome', terminal: null, purses: [], packages: [] }),
  enrolling: () => ({ phase: 'enrolling', terminal: null, purses: [], packages: [] }),
  'welcome-trouble': () => ({ phase: 'welcome', terminal: null, purses: [], packages: [], trouble: failure('keystore-locked', 'none', 'again') }),
  home: () => ({ reader }),
  'home-empty': () => ({ purses: [] }),
  'home-pending': (now) => ({ reader, ...waiting(now, 'in-transit') }),
  'home-unsure': (now) => ({ network: 'offline', ...waiting(now, 'unsure'), reader: without('none') }),
  'home-unreported': (now) => ({ pending: pending(now, 'on-card-unreported'), network: 'offline' }),
  'settings-trayless': () => ({ desk: { tray: false } }),
  'settings-waits': () => ({ reader: without('none'), transaction: awaits('topup', 'reader-none', { amount: 5000, steps: steps('waiting', 'waiting', 'waiting', 'waiting') }) }),
  'settings-update': () => ({ update: { version: '0.2.0', running: false, error: null } }),
  'settings-update-failed': () => ({ update: { version: '0.2.0', running: false, error: failure('update-failed', 'none', 'no') } }),
  'settings-refused': () => ({ refusedPackages: [{ industry: '0002', version: 1, code: 'package-older', why: 'package 0002 version 1 does not follow version 3' }] }),
  'home-many': (now) => ({ purses: [...baseView(now).purses, { industry: '0001', name: NAME, tail: '8826', mark: null, balance: 0, seenMs: now - 90 * MINUTE, expiry: null, active: false, label: words().grandma, colour: 'ocean' }] }),
  'home-crowd': (now) => ({
    purses: ['4471', '8826', '1907', '3350', '7012'].map((tail, i) => ({ industry: '0001', name: NAME, tail, mark: null, balance: 12_850 - i * 3000, seenMs: now - i * 900 * MINUTE, expiry: null, active: i !== 1, label: null, colour: COLOURS[i]! })),
    ...waiting(now, 'in-transit'),
    pending: [...pending(now, 'in-transit'), ...pending(now, 'unsure').map((p) => ({ ...p, id: '2'.padStart(32, '0'), tail: '8826' }))],
  }),
  'home-trouble': () => ({ trouble: failure('terminal-revoked', 'none', 'no'), network: 'offline', reader: without('service-down') }),
  balance: show((now) => transaction('balance', { stage: 'done', card: card(now), steps: steps('done') })),
  'balance-wait': () => ({ transaction: awaits('balance', 'card-none', { steps: steps('waiting') }) }),
  'balance-missing': () => ({ transaction: awaits('balance', 'reader-none'), reader: without('none') }),
  'balance-service-down': () => ({ transaction: awaits('balance', 'service-down'), reader: without('service-down') }),
  'balance-service-hung': () => ({ transaction: awaits('balance', 'service-hung'), reader: without('service-hung') }),
  'balance-busy': show(() => transaction('balance', { stage: 'failed', error: failure('reader-busy', 'none', 'again') })),
  'balance-removed': show(() => transaction('balance', { stage: 'failed', error: failure('card-lost', 'none', 'again') })),
  'balance-failed': show(() => transaction('balance', { stage: 'failed', error: failure('card-not-supported', 'none', 'again') })),
  request: () => ({ reader, request: { amount: 5000, error: null } }),
  'request-open': () => ({ reader, request: { amount: null, error: null } }),
  'request-bad': () => ({ reader, request: { amount: null, error: failure('link-bad', 'none', 'no') } }),
  'topup-phone': show((now) => transaction('topup', { stage: 'phone', card: card(now) })),
  'topup-phone-open': (now) => ({ reader, ...waiting(now, 'in-transit'), transaction: transaction('topup', { stage: 'phone', card: card(now) }) }),
  'topup-phone-first': () => ({ purses: [], transaction: transaction('topup', { stage: 'phone' }) }),
  'topup-phone-offline': show(() => transaction('topup', { stage: 'phone', error: failure('offline', 'account', 'again') })),
  'topup-code': show((now) => transaction('topup', { stage: 'code', card: card(now), sms: sms(now) })),
  'topup-code-wrong': show((now) => transaction('topup', { stage: 'code', card: card(now), sms: sms(now), error: failure('code-wrong', 'account', 'edit', { tries_left: '3' }) })),
  'topup-amount': show((now) => transaction('topup', { stage: 'password', card: card(now), asked: 5000, sms: sms(now), limits, pinDigits: 3 })),
  'topup-amount-phone': (now) => ({ transaction: transaction('topup', { stage: 'password', asked: 5000, sms: sms(now) }) }),
  'topup-password-wrong': show((now) => transaction('topup', { stage: 'password', card: card(now), amount: 5000, sms: sms(now), limits, error: failure('password-wrong', 'account', 'edit', { tries_left: '2' }) })),
  'topup-wait': () => ({ transaction: awaits('topup', 'card-none', { amount: 5000, steps: steps('waiting', 'waiting', 'waiting', 'waiting') }) }),
  'topup-running': show(() => transaction('topup', { stage: 'running', amount: 5000, card: card(), steps: steps('done', 'done', 'running', 'waiting'), place: 'in-transit', canCancel: false })),
  'topup-approve': show(() => transaction('topup', { stage: 'running', amount: 5000, card: card(), steps: steps('done', 'running', 'waiting', 'waiting'), place: 'unsure', canCancel: false })),
  'topup-done': show((now) => transaction('topup', { stage: 'done', amount: 5000, sms: sms(now), card: card(now), receipt: receipt(now), place: 'on-card' })),
  'topup-torn': (now) => ({ reader, ...waiting(now, 'in-transit'), transaction: transaction('topup', { stage: 'failed', amount: 5000, card: card(), place: 'in-transit', canCancel: true, error: torn }) }),
  'topup-removed': show(() => transaction('topup', { stage: 'failed', amount: 5000, card: card(), error: failure('card-lost', 'account', 'again') })),
  'topup-silent': show(() => transaction('topup', { stage: 'failed', amount: 5000, card: card(), place: 'unsure', error: failure('bank-silent', 'unsure', 'resume') })),
  'topup-stop': show(() => transaction('topup', { stage: 'failed', amount: 5000, card: card(), error: failure('card-blocked', 'account', 'no') })),
  'topup-funds': show(() => transaction('topup', { stage: 'failed', amount: 50_000, card: card(), error: failure('funds-short', 'account', 'edit') })),
  'resume-running': show(() => transaction('resume', { stage: 'running', card: card(), amount: 5000, place: 'in-transit', resume: 'running', steps: steps('done', 'running', 'waiting', 'waiting'), canCancel: false })),
  'resume-none': show(() => transaction('resume', { stage: 'done', card: card(), resume: 'none' })),
  'resume-already': show((now) => transaction('resume', { stage: 'done', card: card(now), resume: 'already-on-card', receipt: receipt(now), place: 'on-card' })),
  'resume-loaded': show((now) => transaction('resume', { stage: 'done', card: card(now), resume: 'loaded', receipt: receipt(now), place: 'on-card' })),
  'resume-refund': show(() => transaction('resume', { refund: true, stage: 'running', card: card(), amount: 5000, place: 'in-transit', resume: 'running', steps: steps('done', 'running', 'waiting', 'waiting'), canCancel: false })),
  'resume-refunded': show((now) => transaction('resume', { refund: true, stage: 'done', card: card(now), resume: 'refunded', receipt: receipt(now, { oldBalance: null, newBalance: null, place: 'account' }), place: 'account' })),
  'resume-written-off': show(() => transaction('resume', { stage: 'failed', card: card(), amount: 5000, resume: 'failed', place: 'written-off', error: { ...failure('written-off', 'written-off', 'no'), reference: 'TF-7K2M-91QX' } })),
  'resume-manual': show(() => transaction('resume', { stage: 'failed', card: card(), amount: 5000, resume: 'failed', place: 'in-transit', error: { ...failure('manual', 'in-transit', 'no'), reference: 'TF-7K2M-91QX' } })),
  'resume-failed': show(() => transaction('resume', { stage: 'failed', card: card(Date.now(), { tail: '8826', balance: 2050 }), amount: 5000, resume: 'failed', place: 'in-transit', error: failure('card-other', 'in-transit', 'again', { tail: '4471' }) })),
  'activate-password': show(() => transaction('activate', { stage: 'password', pinDigits: 2 })),
  'activate-already': show((now) => transaction('activate', { stage: 'password', card: card(now) })),
  'activate-running': show(() => transaction('activate', { stage: 'running', steps: steps('done', 'done', 'running') , card: card(Date.now(), { tail: '8826', balance: 0, active: false, log: [] }) })),
  'activate-done': show((now) => transaction('activate', { stage: 'done', card: card(now, { tail: '8826', balance: 0, log: [] }), receipt: receipt(now, { amount: null, oldBalance: null, newBalance: null, tail: '8826', reference: null, place: 'none' }) })),
  'topup-read': show(() => transaction('topup', { stage: 'running', amount: 5000, card: card(), steps: steps('running', 'waiting', 'waiting', 'waiting') })),
  'topup-poor': show(() => transaction('topup', { stage: 'running', amount: 5000, steps: steps('running', 'waiting', 'waiting', 'waiting'), contact: 'poor' })),
  'topup-free': show(() => transaction('topup', { stage: 'running', amount: 5000, card: card(), steps: steps('done', 'running', 'waiting', 'waiting'), place: 'unsure', contact: 'free', canCancel: false })),
  'topup-confirm': show(() => transaction('topup', { stage: 'running', amount: 5000, card: card(), steps: steps('done', 'done', 'done', 'running'), place: 'on-card-unreported', canCancel: false })),
  'topup-gone': show(() => transaction('topup', { stage: 'running', amount: 5000, card: card(), steps: steps('done', 'done', 'running', 'waiting'), place: 'in-transit', canCancel: false })),
  'resume-wait': (now) => ({ pending: pending(now, 'in-transit'), transaction: awaits('resume', 'card-none', { steps: steps('waiting', 'waiting', 'waiting', 'waiting') }) }),
  'resume-read': (now) => ({ reader, pending: pending(now, 'in-transit'), transaction: transaction('resume', { stage: 'running', steps: steps('running', 'waiting', 'waiting', 'waiting') }) }),
  'resume-offline': (now) => ({ reader, pending: pending(now, 'in-transit'), transaction: transaction('resume', { stage: 'failed', card: card(), error: failure('offline', 'none', 'again') }) }),
  'history-pending': (now) => ({ pending: pending(now, 'in-transit') }),
  'home-first': () => ({ reader, purses: [] }),
  history: () => ({}),
  settings: () => ({}),
  'settings-well': () => ({}), 'settings-no-reader': () => ({}), 'settings-no-service': () => ({}), 'settings-no-name': () => ({}), 'settings-looked-into': () => ({}), 'settings-fresh': () => ({}),
  'home-locked': () => ({ terminal: null, trouble: failure('unlock-refused', 'none', 'again') }),
  ...queueScenes,
  'home-list': (now) => ({ reader, queues: [list(now)] }),
  'home-list-unsettled': (now) => ({ reader, queues: [list(now, true)] }),
  'settings-key-soon': (now) => ({ network: 'offline', terminal: { ...baseView(now).terminal!, keyExpiresMs: now + 40 * MINUTE } }),
};
