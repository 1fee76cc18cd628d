import type { AppView } from './bindings/AppView';
import type { CardView } from './bindings/CardView';
import type { PurseView } from './bindings/PurseView';
import type { TransactionView } from './bindings/TransactionView';

/**
 * The card that a top-up's code is for, by the rule of the core: the one that was read for it, else the one that was
 * seen last. Null while nobody can tell: none was ever seen, or one lies there that may be another.
 */
export function boundCard(transaction: TransactionView, { purses, reader }: Pick<AppView, 'purses' | 'reader'>): CardView | PurseView | null {
  if (transaction.kind !== 'topup') return null;
  if (transaction.card) return transaction.card;
  if (transaction.stage === 'phone' && reader.state === 'card') return null;
  return purses[0] ?? null;
}
