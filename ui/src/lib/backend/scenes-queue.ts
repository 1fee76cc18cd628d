import type { AppView } from '../bindings/AppView';
import type { ErrorView } from '../bindings/ErrorView';
import type { FlawView } from '../bindings/FlawView';
import type { QueueEntry } from '../bindings/QueueEntry';
import type { QueueItemState } from '../bindings/QueueItemState';
import type { QueueItemView } from '../bindings/QueueItemView';
import type { QueueTotals } from '../bindings/QueueTotals';
import type { QueueView } from '../bindings/QueueView';
import type { TapView } from '../bindings/TapView';
import { words } from './scenes-words';

/** Lists in every state that a person can meet. */

const MINUTE = 60_000;
/** Last digits and fen. */
const CARDS: readonly (readonly [string, number])[] = [['4471', 5000], ['8826', 5000], ['1907', 2050], ['3350', 5000], ['7012', 5000], ['5518', 10_000], ['2264', 5000]];

function items(states: readonly QueueItemState[], now: number): QueueItemView[] {
  const { people } = words();
  return CARDS.map(([tail, amount], index) => {
    const name = people[index] ?? '';
    const state = states[index] ?? 'waiting';
    const settled = state === 'loaded';
    return { index, name, tail, amount, state, reference: settled ? `TF-7K${index + 2}M-91QX` : null, timeMs: settled ? now - MINUTE * (9 - index) : null };
  });
}

function totals(all: readonly QueueItemView[]): QueueTotals {
  const sum = (of: readonly QueueItemView[]): QueueTotals['all'] => ({ cards: of.length, fen: of.reduce((fen, item) => fen + item.amount, 0) });
  const part = (state: QueueItemState): QueueTotals['all'] => sum(all.filter((item) => item.state === state));
  return { all: sum(all), loaded: part('loaded'), returned: part('returned'), waiting: part('waiting'), unsettled: part('open'), writtenOff: part('written-off') };
}

/** A list on the screen; `states` of its cards, the rest waits. */
export function queue(stage: QueueView['stage'], patch: Partial<QueueView> = {}, states: readonly QueueItemState[] = [], now = Date.now()): QueueView {
  const all = stage === 'pick' ? [] : items(states, now);
  const paid = stage === 'tap' || stage === 'closed';
  return {
    id: 'c'.repeat(32), stage, name: stage === 'pick' ? null : words().list, industry: null, items: all, totals: totals(all), flaws: [], flawCount: 0,
    sms: null, pinDigits: 0, closesMs: paid ? now + 29 * 24 * 60 * MINUTE : null, tap: null, busy: false, error: null, ...patch,
  };
}

export function tap(patch: Partial<TapView>): TapView {
  return { count: 3, state: 'reading', item: null, step: null, place: 'none', contact: null, balance: null, error: null, ...patch };
}

export function entry(now: number, unsettled = false): QueueEntry {
  const all = items(['loaded', 'loaded', unsettled ? 'open' : 'loaded'], now);
  return { id: 'c'.repeat(32), name: words().list, totals: totals(all), closesMs: now + 29 * 24 * 60 * MINUTE, closed: false };
}

/** What a card that was stopped came to. */
export function loadedItems(view: QueueView, index: number): Pick<QueueView, 'items' | 'totals'> {
  const all = view.items.map((item) => (item.index === index ? { ...item, state: 'loaded' as const, reference: 'TF-2B9C-44LD', timeMs: Date.now() } : item));
  return { items: all, totals: totals(all) };
}

/** Everything that was not loaded went back. */
export function closedItems(view: QueueView): Pick<QueueView, 'items' | 'totals'> {
  const all = view.items.map((item) => (item.state === 'waiting' ? { ...item, state: 'returned' as const } : item));
  return { items: all, totals: totals(all) };
}

export const FLAWS: FlawView[] = [
  { row: 2, column: 'name', kind: 'name-missing', detail: null }, { row: 4, column: 'card', kind: 'card-rounded', detail: null }, { row: 7, column: 'card', kind: 'card-twice', detail: 3 },
  { row: 7, column: 'amount', kind: 'amount-high', detail: 100_000 }, { row: 9, column: null, kind: 'fields-many', detail: null }, { row: 0, column: null, kind: 'rows-many', detail: 500 },
];

const error = (code: ErrorView['code'], money: ErrorView['money'], retry: ErrorView['retry'], params: ErrorView['params'] = {}): ErrorView => ({ code, params, retry, money, reference: null });
const SOME: readonly QueueItemState[] = ['loaded', 'loaded', 'waiting', 'loaded'];
const ALL: readonly QueueItemState[] = CARDS.map(() => 'loaded');
type Scene = (now: number) => Partial<AppView>;
const READER = { name: 'ACS ACR1252 Dual Reader', readers: ['ACS ACR1252 Dual Reader'], chosen: null };
const sms = (now: number): QueueView['sms'] => ({ phoneMasked: '138 •••• 6021', resendAtMs: now + 42_000, expiresAtMs: now + 5 * MINUTE, tail: null });
const show = (view: (now: number) => QueueView, there = false): Scene => (now) => ({ reader: { ...READER, state: there ? 'card' : 'empty' }, queue: view(now) });
const tapped = (patch: Partial<TapView>, states = SOME): Scene => show((now) => queue('tap', { tap: tap(patch) }, states, now), true);

export const queueScenes: Record<string, Scene> = {
  'queue-pick': show(() => queue('pick')),
  'queue-earlier': (now) => ({ queue: queue('pick'), queues: [entry(now)] }),
  'queue-flaws': show(() => queue('pick', { name: words().list, flaws: FLAWS, flawCount: 61 })),
  'queue-unreadable': show(() => queue('pick', { error: error('list-unreadable', 'account', 'edit') })),
  'queue-check': show(() => queue('check')),
  'queue-refused': show(() => queue('check', { flaws: [{ row: 3, column: 'card', kind: 'card-unknown', detail: null }, { row: 5, column: 'amount', kind: 'amount-high', detail: null }], flawCount: 2, error: error('queue-rows', 'account', 'edit') })),
  'queue-phone': show(() => queue('phone')),
  'queue-code': show((now) => queue('code', { sms: sms(now) })),
  'queue-code-wrong': show((now) => queue('code', { sms: sms(now), error: error('code-wrong', 'account', 'edit', { tries_left: '3' }) })),
  'queue-password': show((now) => queue('password', { pinDigits: 3, sms: sms(now) })),
  'queue-password-wrong': show(() => queue('password', { error: error('password-wrong', 'account', 'edit', { tries_left: '2' }) })),
  'queue-unsure': show(() => queue('password', { error: error('bank-silent', 'unsure', 'again') })),
  'queue-tap': show((now) => queue('tap', {}, [], now)),
  'queue-next': show((now) => queue('tap', { tap: tap({ state: 'loaded', item: 3, place: 'on-card', balance: 12_850 }) }, SOME, now)),
  'queue-reading': tapped({}),
  'queue-running': tapped({ state: 'running', item: 2, step: 'write', place: 'in-transit' }),
  'queue-poor': tapped({ state: 'running', item: 2, step: 'read', place: 'account', contact: 'poor' }),
  'queue-loaded': tapped({ state: 'loaded', item: 3, place: 'on-card', balance: 12_850 }),
  'queue-ticked': tapped({ state: 'ticked', item: 1 }),
  'queue-unlisted': tapped({ state: 'stopped', error: error('queue-unlisted', 'none', 'no', { tail: '9044' }) }),
  'queue-torn': tapped({ state: 'stopped', item: 2, place: 'in-transit', error: error('card-lost', 'in-transit', 'resume') }, ['loaded', 'loaded', 'open', 'loaded']),
  'queue-offline': tapped({ state: 'stopped', item: 2, place: 'account', error: error('offline', 'account', 'again') }),
  'queue-missing': (now) => ({ reader: { ...READER, state: 'none', name: null, readers: [] }, queue: queue('tap', {}, SOME, now) }),
  'queue-over': tapped({ state: 'loaded', item: 6, place: 'on-card', balance: 9050 }, ALL),
  'queue-unheard': show((now) => queue('tap', { closesMs: null, error: error('bank-silent', 'unsure', 'again') }, [], now)),
  'queue-closed': show((now) => queue('closed', {}, ['loaded', 'loaded', 'returned', 'loaded', 'open', 'returned', 'returned'], now)),
};
