import type { HistoryEntry } from '../../lib/bindings/HistoryEntry';
import type { HistoryState } from '../../lib/bindings/HistoryState';
import type { TransactionKind } from '../../lib/bindings/TransactionKind';
import { m } from '../../lib/paraglide/messages.js';

/** What a record is of, not what a button does. */
const kinds: Record<TransactionKind, () => string> = { balance: m['kind.balance'], topup: m['history.kind-topup'], resume: m['history.kind-resume'], activate: m['history.kind-activate'] };
const states: Record<HistoryState, () => string> = { done: m['history.done'], unfinished: m['history.unfinished'], 'not-done': m['history.not-done'] };
/** An activation puts no money on a card. */
const activation: Record<HistoryState, () => string> = { done: m['activate.done'], unfinished: m['history.unfinished'], 'not-done': m['activate.failed'] };

export const kindWord = (kind: TransactionKind): string => kinds[kind]();
/** Money that came back after it had left is more than a top-up that never began. */
export const isRefunded = ({ state, receipt }: HistoryEntry): boolean => state === 'not-done' && receipt.place === 'account' && receipt.reference !== null;

export function outcomeWord(entry: HistoryEntry): string {
  if (entry.kind === 'activate') return activation[entry.state]();
  if (entry.receipt.place === 'written-off') return m['history.written-off']();
  if (isRefunded(entry)) return m['history.refunded']();
  return entry.state === 'not-done' && entry.receipt.place === 'account' ? m['history.not-charged']() : states[entry.state]();
}
