import type { AppView } from './bindings/AppView';
import type { CardView } from './bindings/CardView';
import type { PurseView } from './bindings/PurseView';
import type { TransactionView } from './bindings/TransactionView';

/**
 * The card that a top-up is for. Once a code was sent, the one that the code is for, whatever lies there now; before,
 * by the rule of the core: the one that was read for it, else the one that was seen last. Null while nobody can tell:
 * none was ever seen, or one lies there that may be another.
 */
export function boundCard({ kind, stage, card, sms }: TransactionView, { purses, reader }: Pick<AppView, 'purses' | 'reader'>): CardView | PurseView | null {
  if (kind !== 'topup') return null;
  const tail = sms?.tail ?? null;
  if (tail !== null && card?.tail !== tail) return purses.find((purse) => purse.tail === tail) ?? null;
  if (card) return card;
  if (tail === null && stage === 'phone' && reader.state === 'card') return null;
  return purses[0] ?? null;
}
