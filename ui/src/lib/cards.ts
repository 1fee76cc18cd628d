import type { CardColour } from './bindings/CardColour';
import type { CardKey } from './bindings/CardKey';
import type { LocalName } from './bindings/LocalName';

/** A card as screens show it. */
export type Card = CardKey & { name: LocalName };

export const COLOURS: readonly CardColour[] = ['jade', 'ocean', 'plum', 'clay', 'slate'];

/** Whether both can be the same card, as the core tells cards apart. */
export function same(a: CardKey, b: CardKey): boolean {
  const differ = a.mark !== null && b.mark !== null && a.mark !== b.mark;
  return a.industry === b.industry && a.tail === b.tail && !differ;
}

export const keyOf = ({ industry, tail, mark }: CardKey): CardKey => ({ industry, tail, mark });
