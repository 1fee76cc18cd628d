import type { HistoryEntry } from '../../lib/bindings/HistoryEntry';
import type { HistoryState } from '../../lib/bindings/HistoryState';
import type { TransactionKind } from '../../lib/bindings/TransactionKind';
import { m } from '../../lib/paraglide/messages.js';

const kinds: Record<TransactionKind, () => string> = { balance: m['kind.balance'], topup: m['kind.topup'], resume: m['kind.resume'], activate: m['kind.activate'] };
const states: Record<HistoryState, () => string> = { done: m['history.done'], unfinished: m['history.unfinished'], 'not-done': m['history.not-done'] };

export const kindWord = (kind: TransactionKind): string => kinds[kind]();
/** Money that came back after it had left is more than a top-up that never began. */
export const isRefunded = ({ state, receipt }: HistoryEntry): boolean => state === 'not-done' && receipt.place === 'account' && receipt.reference !== null;

export function outcomeWord(entry: HistoryEntry): string {
  if (entry.receipt.place === 'written-off') return m['history.written-off']();
  return isRefunded(entry) ? m['history.refunded']() : states[entry.state]();
}
