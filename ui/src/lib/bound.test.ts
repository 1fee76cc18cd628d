import { describe, expect, it } from 'vitest';

import { baseView, card, transaction } from './backend/scenes';
import { boundCard } from './bound';

const empty = baseView();
const there = { ...empty, reader: { ...empty.reader, state: 'card' as const } };

describe('the card that a code is for', () => {
  it('is the one that was read, else the one that was seen last', () => {
    expect(boundCard(transaction('topup', { card: card(0, { tail: '8826' }) }), there)?.tail).toBe('8826');
    expect(boundCard(transaction('topup', { stage: 'phone' }), empty)?.tail).toBe('4471');
    expect(boundCard(transaction('topup', { stage: 'wait-card' }), empty)?.tail).toBe('4471');
  });

  it('is told of none while that can not be known', () => {
    expect(boundCard(transaction('topup', { stage: 'phone' }), there), 'the one that lies there is being read').toBeNull();
    expect(boundCard(transaction('topup', { stage: 'phone' }), { ...empty, purses: [] })).toBeNull();
    expect(boundCard(transaction('resume', { card: card() }), empty), 'no code is sent').toBeNull();
  });
});
