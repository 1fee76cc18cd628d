import { afterEach, beforeAll, describe, expect, it } from 'vitest';

import { failure, receipt, transaction } from './lib/backend/scenes';
import { loadFailureWords } from './lib/i18n/failures.svelte';
import type { TransactionView } from './lib/bindings/TransactionView';
import { all, one, open, sent, settle, stop, tap, text, type } from './testing';

beforeAll(async () => {
  await Promise.all([loadFailureWords(), import('./features/screens')]);
});
afterEach(stop);

describe('a phone with an almost empty battery', () => {
  it('is told before a load starts, and not while one runs', async () => {
    const { backend } = await open('topup-phone');
    expect(all('battery-low')).toHaveLength(0);
    backend.push({ reader: { state: 'empty', name: 'NFC', readers: ['NFC'], chosen: null, lowBattery: 17 } });
    await settle();
    expect(text('battery-low')).toContain('17');
    stop();
    const running = await open('topup-running');
    running.backend.push({ reader: { state: 'card', name: 'NFC', readers: ['NFC'], chosen: null, lowBattery: 17 } });
    await settle();
    expect(all('battery-low')).toHaveLength(0);
  });
});

describe('a top-up', () => {
  it('says at its beginning that an earlier one of the card is unfinished, and of no other card', async () => {
    const { app, backend } = await open('topup-phone-open');
    expect(text('pending-amount')).toBe('50.00');
    const [load] = app.view!.pending;
    for (const [other, count] of [[{ tail: '9999' }, 0], [{ place: 'on-card-unreported' as const }, 0], [{}, 1]] as const) {
      backend.push({ pending: [{ ...load!, ...other }] });
      await settle();
      expect(all('pending-load'), JSON.stringify(other)).toHaveLength(count);
    }
    await tap('pending-finish');
    expect(sent(backend, 'begin')).toEqual([{ command: 'begin', kind: 'resume' }]);
  });

  it('goes from the phone number to the password', async () => {
    const { backend } = await open('home');
    await tap('action-topup');
    await type('phone-input', '138 0000 6021');
    await tap('send-code');
    expect(sent(backend, 'send-code')).toEqual([{ command: 'send-code', phone: '13800006021' }]);
    await type('code-input', ' 409-128 ');
    expect((one('code-input') as HTMLInputElement).value).toBe('409128');
    await tap('verify-code');
    await tap('amount-chip-50');
    for (const digit of [2, 4, 6, 8, 1, 0]) await tap(`pin-key-${digit}`);
    expect(one('pin-pad').dataset.count).toBe('6');
    await tap('submit');
    expect(sent(backend, 'submit')).toEqual([{ command: 'submit', amount: 5000 }]);
    expect(document.body.innerHTML, 'the page keeps no digits').not.toContain('246810');
  });

  it('sends a command once however often it is tapped', async () => {
    const { backend } = await open('topup-phone');
    await type('phone-input', '13800006021');
    const button = one('send-code');
    for (let i = 0; i < 5; i += 1) button.click();
    await settle();
    expect(sent(backend, 'send-code')).toHaveLength(1);
  });

  it('keeps the order of password digits and takes physical keys', async () => {
    const { backend } = await open('topup-amount');
    await tap('amount-chip-50');
    for (const key of ['2', '4', '6', 'Backspace', '8']) window.dispatchEvent(new KeyboardEvent('keydown', { key }));
    await settle();
    const pressed = backend.commands.flatMap((c): (number | string)[] => (c.command === 'pin-press' ? [c.digit] : c.command === 'pin-delete' ? ['delete'] : []));
    expect(pressed).toEqual([2, 4, 6, 'delete', 8]);
  });

  it('leaves keys typed into the amount to the amount', async () => {
    const { backend } = await open('topup-amount');
    one('amount-input').dispatchEvent(new KeyboardEvent('keydown', { key: '5', bubbles: true }));
    await settle();
    expect(sent(backend, 'pin-press')).toEqual([]);
  });

  it.each([['', 'amount-bad'], ['0', 'amount-low'], ['-5', 'amount-bad'], ['abc', 'amount-bad'], ['0.50', 'amount-low'], ['871.51', 'amount-high'], ['1.234', 'amount-bad']])('refuses the amount %j with %s before anything is sent', async (amount, code) => {
    const { backend } = await open('topup-amount');
    await type('amount-input', amount);
    await tap('submit');
    expect(text('error-code')).toBe(code);
    expect(sent(backend, 'submit')).toEqual([]);
  });

  it('shows the limits before they are hit', async () => {
    await open('topup-amount');
    await type('amount-input', '');
    expect(text('amount-hint')).toBe('这次可充 ¥1.00 到 ¥871.50');
    await type('amount-input', '871.51');
    expect(text('amount-hint')).toBe('这次最多充 ¥871.50');
  });

  it('says what will be on the card, and by what where that was not read for it', async () => {
    await open('topup-amount');
    expect(text('amount-hint')).toBe('充后余额 ¥178.50 · 这次可充 ¥1.00 到 ¥871.50');
    stop();
    await open('topup-amount-phone');
    expect(text('amount-hint')).toMatch(/^充后余额约 ¥178\.50.*上次/);
  });

  it('says which card it is for, and which one to put there', async () => {
    const { backend } = await open('topup-wait');
    expect([text('topup-card'), document.querySelector('.hold')?.textContent]).toEqual(['给尾号 4471 的卡充值', '把尾号 4471 的卡放在读卡器上']);
    backend.push({ purses: [] });
    await settle();
    expect([all('topup-card').length, document.querySelector('.hold')?.textContent], 'nobody can tell').toEqual([0, '把卡放在读卡器上']);
  });

  it('refuses a phone number and a code that can not be ones', async () => {
    await open('topup-phone');
    await type('phone-input', '12');
    await tap('send-code');
    expect(text('error-code')).toBe('phone-bad');
    stop();
    await open('topup-code');
    await type('code-input', '12');
    await tap('verify-code');
    expect(text('error-code')).toBe('code-bad');
  });

  it('moves the focus to what each step begins with', async () => {
    const { backend } = await open('topup-phone');
    const at = (): string | null | undefined => document.activeElement?.getAttribute('data-testid') ?? document.activeElement?.tagName;
    expect(at()).toBe('phone-input');
    const step = async (patch: Partial<TransactionView>): Promise<void> => {
      backend.push({ transaction: transaction('topup', patch) });
      await settle();
    };
    await step({ stage: 'code' });
    expect(at()).toBe('code-input');
    await step({ stage: 'password' });
    expect(at(), 'typed digits are the amount before they are the password').toBe('amount-input');
    await type('amount-input', '50');
    one('amount-input').dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
    expect(at()).toBe('pin-pad');
    await step({ stage: 'wait-card', amount: 5000 });
    expect(document.activeElement?.className).toContain('hold');
    await step({ stage: 'failed', error: failure('card-lost', 'account', 'again') });
    expect(at()).toBe('error-title');
    await step({ stage: 'done', receipt: receipt() });
    expect([document.activeElement?.tagName, one('receipt').contains(document.activeElement)]).toEqual(['H2', true]);
  });

  it('can be left once a step takes long', async () => {
    const { backend } = await open('topup-read');
    expect(text('cancel')).toBe('取消');
    const now = (await backend.view()).transaction;
    backend.push({ transaction: now && { ...now, canCancel: false, contact: 'free' } });
    await settle();
    expect(text('cancel')).toContain('离开');
  });

  it('offers no cancel once money has moved, and goes on when its screen is left', async () => {
    const { app, backend } = await open('topup-running');
    expect(all('cancel'), 'a finger on its way to the button that cancels meets none').toEqual([]);
    await tap('nav-home');
    expect(app.screen).toBe('home');
    expect(sent(backend, 'leave'), 'the core would refuse it').toEqual([]);
    backend.push({ transaction: { ...transaction('topup', { stage: 'done', receipt: receipt() }) } });
    await settle();
    expect(app.screen, 'the result shows at home').toBe('topup');
  });
});

describe('a wrong code', () => {
  const wrong = (triesLeft: string): Partial<TransactionView> => ({ stage: 'code', error: failure('code-wrong', 'account', 'edit', { tries_left: triesLeft }) });
  const value = (): string => (one('code-input') as HTMLInputElement).value;

  it('empties the boxes once, however many views come with it, and is put away by the first digit', async () => {
    const { app, backend } = await open('topup-code');
    const step = async (patch: Partial<TransactionView>): Promise<void> => {
      backend.push({ transaction: transaction('topup', patch) });
      app.now += 1000;
      await settle();
    };
    await type('code-input', '111111');
    await step(wrong('4'));
    expect([value(), text('error-code')]).toEqual(['', 'code-wrong']);
    const input = one('code-input');
    for (const typed of ['4', '40', '409', '4091', '40912', '409128']) {
      await type('code-input', typed);
      await step(wrong('4'));
      expect(value(), 'what was typed since stays').toBe(typed);
      expect(all('error-code'), 'the error is put away').toEqual([]);
      expect(one('code-input'), 'the field is not made anew').toBe(input);
      expect(document.activeElement).toBe(input);
    }
    await step(wrong('3'));
    expect([value(), text('error-code')], 'another one is told and empties again').toEqual(['', 'code-wrong']);
  });

  it('that the bank refuses with the same words again is told again', async () => {
    const { backend } = await open('topup-code');
    backend.run = async () => {
      backend.push({ transaction: transaction('topup', { ...wrong('4'), busy: true, error: null }) });
      await new Promise((resolve) => setTimeout(resolve, 1));
      backend.push({ transaction: transaction('topup', wrong('4')) });
      throw failure('code-wrong', 'account', 'edit', { tries_left: '4' }) as unknown as Error;
    };
    for (const code of ['111111', '222222']) {
      await type('code-input', code);
      expect(all('error-code')).toEqual([]);
      await tap('verify-code');
      await settle();
      expect([value(), text('error-code')]).toEqual(['', 'code-wrong']);
    }
  });
});
