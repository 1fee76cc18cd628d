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

  it('is the one of the code, also when another one lies there since', () => {
    const { purses } = baseView();
    const two = { ...there, purses: [{ ...purses[0]!, tail: '8826' }, purses[0]!] };
    const sms = { phoneMasked: '138 •••• 6021', resendAtMs: 0, expiresAtMs: 0, tail: '4471' };
    const other = transaction('topup', { stage: 'wait-card', card: card(0, { tail: '8826' }), sms });
    expect(boundCard(other, two)?.tail).toBe('4471');
    expect(boundCard({ ...other, card: null }, two)?.tail).toBe('4471');
    expect(boundCard(other, { ...two, purses: [] }), 'never the other one').toBeNull();
  });

  it('is told of none while that can not be known', () => {
    expect(boundCard(transaction('topup', { stage: 'phone' }), there), 'the one that lies there is being read').toBeNull();
    expect(boundCard(transaction('topup', { stage: 'phone' }), { ...empty, purses: [] })).toBeNull();
    expect(boundCard(transaction('resume', { card: card() }), empty), 'no code is sent').toBeNull();
  });
});
