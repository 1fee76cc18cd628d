import { afterEach, beforeAll, describe, expect, it } from 'vitest';

import { failure, transaction } from './lib/backend/scenes';
import { loadFailureWords } from './lib/i18n/failures.svelte';
import { all, focused, one, open, press, sent, settle, stop, tap, text, type } from './testing';

beforeAll(async () => {
  await Promise.all([loadFailureWords(), import('./features/screens')]);
});
afterEach(stop);

describe('an amount that can not be paid', () => {
  it.each([['', 'amount-bad'], ['1.234', 'amount-bad'], ['0.50', 'amount-low'], ['871.51', 'amount-high']])('keeps the focus and says so when %j is entered', async (amount, code) => {
    const { backend } = await open('topup-amount');
    await type('amount-input', amount);
    await press('Enter');
    expect([focused(), text('error-code'), one('amount-input').getAttribute('aria-invalid')]).toEqual(['amount-input', code, 'true']);
    await press('5');
    expect(sent(backend, 'pin-press'), 'a digit typed next is none of the password').toEqual([]);
  });

  it('leaves a digit typed beside every field to nobody, and on the keypad to the password', async () => {
    const { backend } = await open('topup-amount');
    await type('amount-input', '');
    one('amount-input').blur();
    await press('5');
    expect(sent(backend, 'pin-press'), 'it may be meant for the amount').toEqual([]);
    one('pin-pad').focus();
    await press('5');
    expect(sent(backend, 'pin-press')).toEqual([{ command: 'pin-press', digit: 5 }]);
  });

  it('empties the password and takes the focus when it is submitted all the same', async () => {
    const { backend } = await open('topup-amount');
    await type('amount-input', '');
    one('submit').focus();
    await tap('submit');
    expect(one('pin-pad').dataset.count, 'three digits were typed').toBe('0');
    expect([sent(backend, 'pin-delete').length, focused(), text('error-code')]).toEqual([3, 'amount-input', 'amount-bad']);
  });

  it('is told and typed anew when it is the bank that refuses it', async () => {
    const { backend } = await open('topup-amount');
    await type('amount-input', '50');
    one('pin-pad').focus();
    backend.push({ transaction: transaction('topup', { stage: 'password', pinDigits: 6, error: failure('amount-high', 'account', 'edit', { limit: '3000' }) }) });
    await settle();
    expect([focused(), text('error-code'), one('pin-pad').dataset.count]).toEqual(['amount-input', 'amount-high', '0']);
    await type('amount-input', '30');
    await press('Enter');
    expect(focused(), 'an amount that can be paid leads on').toBe('pin-pad');
  });
});

describe('an Enter that is held', () => {
  it('does nothing on the screen that came while it was held', async () => {
    const { backend } = await open('topup-code');
    await type('code-input', '409128');
    await press('Enter');
    expect(focused()).toBe('amount-input');
    await press('Enter', { repeat: true });
    expect([focused(), all('error-code').length], 'the amount is not judged yet').toEqual(['amount-input', 0]);
    await type('amount-input', '50');
    await press('Enter');
    await press('Enter', { repeat: true });
    expect([focused(), all('error-code').length], 'an empty password is not sent').toEqual(['pin-pad', 0]);
    expect(sent(backend, 'submit')).toEqual([]);
  });
});

describe('the keypad', () => {
  it('sends six digits by an Enter on any of its keys, and only a digit before that', async () => {
    const { backend } = await open('topup-amount');
    await tap('amount-chip-50');
    one('pin-key-2').focus();
    for (const key of ['4', '6']) await press(key);
    await press('Enter');
    expect(sent(backend, 'submit'), 'five digits: the key itself is meant').toEqual([]);
    await press('8');
    expect(one('pin-pad').dataset.count).toBe('6');
    one('pin-delete').focus();
    await press('Enter');
    expect(sent(backend, 'submit'), 'a digit is to be taken back').toEqual([]);
    one('pin-key-2').focus();
    await press('Enter');
    expect(sent(backend, 'submit')).toEqual([{ command: 'submit', amount: 5000 }]);
  });

  it('sends nothing while the amount can not be paid', async () => {
    const { backend } = await open('topup-amount');
    backend.push({ transaction: transaction('topup', { stage: 'password', pinDigits: 6 }) });
    await type('amount-input', '');
    one('pin-key-2').focus();
    await press('Enter');
    expect([sent(backend, 'submit').length, focused(), text('error-code')]).toEqual([0, 'amount-input', 'amount-bad']);
  });

  it('is walked by arrow keys, in its rows and columns', async () => {
    await open('topup-amount');
    one('pin-pad').focus();
    const walk: (string | null)[] = [];
    for (const key of ['ArrowRight', 'ArrowRight', 'ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'ArrowDown']) {
      await press(key);
      walk.push(focused());
    }
    expect(walk).toEqual(['1', '2', '5', '8', '0'].map((digit) => `pin-key-${digit}`).concat('pin-delete', 'pin-key-9', 'pin-delete', 'pin-delete'));
  });
});
