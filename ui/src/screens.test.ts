import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';

import { failure, receipt, scenes, transaction } from './lib/backend/scenes';
import { queue, tap as tapView } from './lib/backend/scenes-queue';
import flawType from './lib/bindings/FlawKind.ts?raw';
import { failureWord, loadFailureWords } from './lib/i18n/failures.svelte';
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

describe('the back gesture', () => {
  it('goes home from a screen, and never out of a load whose money moves', async () => {
    const { backend } = await open('topup-phone');
    window.dispatchEvent(new PopStateEvent('popstate'));
    await settle();
    expect(sent(backend, 'leave')).toHaveLength(1);
    stop();
    const running = await open('topup-running');
    window.dispatchEvent(new PopStateEvent('popstate'));
    await settle();
    one('screen-topup');
    expect(sent(running.backend, 'leave')).toHaveLength(0);
  });
});

describe('the contract for UI testers', () => {
  const contract: Record<string, string[]> = {
    home: ['screen-home', 'nav-home', 'action-balance', 'action-topup', 'action-resume', 'action-activate', 'purse-card', 'reader-state', 'network-state'],
    'home-pending': ['pending-load', 'pending-amount'],
    balance: ['screen-balance', 'nav-home', 'balance-amount', 'card-number', 'card-expiry', 'balance-chart'],
    'topup-phone': ['screen-topup', 'nav-home', 'phone-input', 'send-code'],
    'topup-code': ['code-input', 'verify-code', 'resend-code'],
    'topup-amount': ['amount-chip-20', 'amount-chip-50', 'amount-chip-100', 'amount-chip-200', 'amount-input', 'pin-pad', ...Array.from({ length: 10 }, (_, d) => `pin-key-${d}`), 'pin-delete', 'submit'],
    'topup-running': ['step-read', 'step-approve', 'step-write', 'step-confirm'],
    'topup-done': ['receipt', 'receipt-amount', 'receipt-balance', 'receipt-reference', 'done'],
    'topup-torn': ['error-code', 'error-title', 'error-money', 'error-action', 'retry'],
    'resume-none': ['screen-resume', 'resume-state', 'done'],
    'resume-already': ['resume-state', 'receipt', 'receipt-amount', 'receipt-balance', 'receipt-reference'],
    'activate-password': ['screen-activate', 'pin-pad', 'submit', 'activate-state'],
    'home-list': ['action-queue', 'queue-entry', 'queue-continue'],
    'queue-pick': ['screen-queue', 'list-pick', 'list-sample'],
    'queue-flaws': ['list-flaws', 'list-pick'],
    'queue-check': ['list-total', 'list-rows', 'list-accept', 'list-pick'],
    'queue-password': ['pin-pad', 'submit'],
    'queue-tap': ['tap-state', 'tap-next', 'queue-progress', 'queue-loaded', 'queue-waiting', 'queue-save', 'queue-close', 'queue-later'],
    'queue-closed': ['queue-given-back', 'queue-save', 'queue-returned', 'done'],
    request: ['screen-request', 'request-amount', 'request-sender', 'request-accept', 'request-drop'],
    'request-bad': ['screen-request', 'error-code', 'request-drop'],
    history: ['screen-history', 'export-history'],
    settings: ['screen-settings', 'language-select', 'theme-select', 'reader-select', 'terminal-id', 'key-check-value', 'key-expiry', 'renew-key', 'run-diagnostics', 'erase-device', 'tray-switch', 'notices-switch'],
    welcome: ['screen-welcome', 'start'],
  };
  it.each(Object.entries(contract))('%s has each of its names once', async (scene, ids) => {
    await open(scene);
    for (const id of ids) one(id);
  });

  it.each(Object.keys(scenes))('%s is drawn with one screen, one heading and no nameless control', async (scene) => {
    await open(scene);
    expect(document.querySelectorAll('[data-testid^="screen-"]')).toHaveLength(1);
    expect(document.querySelectorAll('h1')).toHaveLength(1);
    for (const control of document.querySelectorAll<HTMLElement>('button, input, select')) {
      const label = control.id ? document.querySelector(`label[for="${control.id}"]`)?.textContent : '';
      expect((control.getAttribute('aria-label') ?? '') + control.textContent + (label ?? ''), control.outerHTML).not.toBe('');
    }
    const ids = [...document.querySelectorAll('[data-testid]')].map((e) => e.getAttribute('data-testid')).filter((id) => !['log-row', 'history-row', 'purse-card', 'package-row', 'package-covers', 'pending-load', 'pending-amount', 'pending-finish', 'pending-reference', 'history-open', 'action-refund', 'list-flaw', 'list-row', 'queue-item', 'queue-open', 'queue-entry', 'queue-entry-left', 'queue-continue'].includes(id ?? ''));
    expect(ids.filter((id, i) => ids.indexOf(id) !== i), 'a name stands for one thing').toEqual([]);
  });

  it('a package that was not taken is told with its code and reason', async () => {
    await open('settings-refused');
    expect(text('package-refused')).toContain('0002');
    expect(text('error-code')).toBe('package-older');
    expect(all('package-covers').map((row) => row.textContent)).toHaveLength(2);
  });

  it('shows values as plain text', async () => {
    await open('balance');
    expect([text('balance-amount'), text('card-number'), text('card-expiry')]).toEqual(['128.50', '•••• 4471', '2034-12-31']);
    expect(all('log-row')).toHaveLength(6);
  });

  it('gives states as attributes', async () => {
    await open('topup-running');
    expect(['read', 'approve', 'write', 'confirm'].map((step) => one(`step-${step}`).dataset.state)).toEqual(['done', 'done', 'running', 'waiting']);
    stop();
    for (const [scene, state] of [['resume-none', 'none'], ['resume-already', 'already-on-card'], ['resume-loaded', 'loaded'], ['resume-refunded', 'refunded'], ['resume-failed', 'failed'], ['resume-running', 'running']] as const) {
      await open(scene);
      expect(one('resume-state').dataset.state).toBe(state);
      stop();
    }
    await open('home-trouble');
    expect([one('reader-state').dataset.state, one('network-state').dataset.state]).toEqual(['service-down', 'offline']);
  });
});

describe('a top-up', () => {
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
    expect(text('amount-hint')).toContain('871.50');
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

  it('offers no cancel once money has moved, and goes on when its screen is left', async () => {
    const { app, backend } = await open('topup-running');
    const before = text('cancel');
    await tap('nav-home');
    expect(before).not.toContain('取消');
    expect(app.screen).toBe('home');
    expect(sent(backend, 'leave'), 'the core would refuse it').toEqual([]);
    backend.push({ transaction: { ...transaction('topup', { stage: 'done', receipt: receipt() }) } });
    await settle();
    expect(app.screen, 'the result shows at home').toBe('topup');
  });
});

describe('many cards, one payment', () => {
  const press = async (digits: string): Promise<void> => { for (const digit of digits) await tap(`pin-key-${digit}`); };

  it('goes from the list to the first card, and what waits goes back when it is closed', async () => {
    const { backend } = await open('home');
    await tap('action-queue');
    await tap('list-pick');
    expect(text('list-total')).toBe('370.50');
    expect(all('list-row')).toHaveLength(7);
    await tap('list-accept');
    await type('phone-input', '138 0000 6021');
    await tap('send-code');
    await type('code-input', '409128');
    await tap('verify-code');
    await press('246810');
    await tap('submit');
    expect(sent(backend, 'submit')).toEqual([{ command: 'submit', amount: null }]);
    expect(one('tap-state').dataset.state).toBe('none');
    expect(document.body.innerHTML, 'the page keeps no digits').not.toContain('246810');
    await tap('queue-close');
    expect((one('queue-close-dialog') as HTMLDialogElement).open, 'it asks first').toBe(true);
    expect(sent(backend, 'close-queue')).toEqual([]);
    await tap('queue-close-yes');
    expect(sent(backend, 'close-queue')).toHaveLength(1);
    expect(text('queue-given-back')).toContain('370.50');
    await tap('done');
    one('screen-home');
  });

  it('tells every flaw with its row and column, in words', async () => {
    await open('queue-flaws');
    const flaws = all('list-flaw').map((flaw) => [flaw.dataset.row, flaw.dataset.column, flaw.textContent.trim()]);
    expect(flaws.map((flaw) => flaw.slice(0, 2))).toEqual([['2', 'name'], ['4', 'card'], ['7', 'card'], ['7', 'amount'], ['9', undefined], ['0', undefined]]);
    for (const flaw of flaws) expect(flaw[2]?.length, String(flaw)).toBeGreaterThan(5);
    expect(flaws[3]?.[2]).toContain('1,000.00');
    expect(one('list-flaws').dataset.count).toBe('61');
    stop();
    await open('queue-refused');
    expect(all('list-accept'), 'what is refused is not paid').toEqual([]);
    expect(all('list-flaw')).toHaveLength(2);
  });

  it('has words for every flaw that there is', () => {
    const kinds = [...flawType.matchAll(/"([a-z-]+)"/g)].map((match) => match[1] ?? '');
    expect(kinds.length).toBeGreaterThan(15);
    for (const kind of kinds) expect(failureWord(`flaw.${kind}`, { detail: '7' }), kind).not.toBe('');
  });

  it('ticks off card after card, what is to do first, and says each aloud once', async () => {
    const { backend } = await open('queue-next');
    expect(text('queue-progress')).toBe('3 / 7');
    expect(all('queue-item').map((item) => item.dataset.index)).toEqual(['2', '4', '5', '6', '0', '1', '3']);
    expect(one('tap-state').getAttribute('aria-live')).toBe('assertive');
    expect(text('tap-state')).toContain('50.00');
    backend.push({ queue: queue('tap', { tap: tapView({ count: 4, state: 'ticked', item: 1 }) }, ['loaded', 'loaded', 'waiting', 'loaded']) });
    await settle();
    expect([one('tap-state').dataset.state, one('tap-state').dataset.count]).toEqual(['ticked', '4']);
    expect(text('tap-state')).toContain('3B-02');
  });

  it('says what became of a card that is not on the list, torn, or without a bank', async () => {
    await open('queue-unlisted');
    expect(text('error-code')).toBe('queue-unlisted');
    expect(all('retry'), 'the next card is all there is to do').toEqual([]);
    stop();
    await open('queue-torn');
    expect(text('error-code')).toBe('card-lost');
    expect(text('queue-unsettled')).toBe('1');
    expect(text('error-money').length).toBeGreaterThan(5);
    stop();
    const { backend } = await open('queue-offline');
    await tap('retry');
    expect(sent(backend, 'retry')).toHaveLength(1);
  });

  it('pays nothing twice while the answer is missing', async () => {
    const { backend } = await open('queue-unsure');
    expect(all('submit'), 'no second payment').toEqual([]);
    await tap('retry');
    expect(sent(backend, 'retry')).toHaveLength(1);
  });

  it('waits at home and goes on from there; a card at work is not left', async () => {
    const { backend } = await open('home-list');
    expect(text('queue-entry-left')).toContain('4');
    await tap('queue-continue');
    expect(sent(backend, 'open-queue')).toHaveLength(1);
    one('screen-queue');
    await tap('queue-save');
    expect(text('toast')).toContain('tapfill-list');
    stop();
    const running = await open('queue-running');
    window.dispatchEvent(new PopStateEvent('popstate'));
    await settle();
    one('screen-queue');
    expect(sent(running.backend, 'leave')).toEqual([]);
  });
});

describe('a link from outside', () => {
  it('begins nothing until the person goes on, and then its amount is typed', async () => {
    const { backend } = await open('request');
    expect(backend.commands, 'nothing by itself').toEqual([]);
    expect(text('request-amount')).toBe('50.00');
    await tap('request-accept');
    one('screen-topup');
    await type('phone-input', '13800006021');
    await tap('send-code');
    await type('code-input', '409128');
    await tap('verify-code');
    expect((one('amount-input') as HTMLInputElement).value).toBe('50');
  });

  it('goes away by its button, by Escape and by the way back', async () => {
    for (const leave of [
      () => tap('request-drop'),
      async () => { window.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' })); await settle(); },
      async () => { window.dispatchEvent(new PopStateEvent('popstate')); await settle(); },
    ]) {
      const { backend } = await open('request');
      await leave();
      // Home reads the records beside it as soon as it is drawn.
      expect(backend.commands.filter((it) => it.command !== 'history')).toEqual([{ command: 'drop-request' }]);
      one('screen-home');
      stop();
    }
  });

  it('that can not be used offers nothing to go on with', async () => {
    await open('request-bad');
    expect(text('error-code')).toBe('link-bad');
    expect(all('request-accept')).toEqual([]);
  });

  it('in the middle of something is told in passing and forgotten', async () => {
    const { backend } = await open('topup-phone');
    await type('phone-input', '1380000');
    backend.push({ request: { amount: null, error: failure('link-busy', 'none', 'no') } });
    await settle();
    one('screen-topup');
    expect((one('phone-input') as HTMLInputElement).value, 'what was typed stays').toBe('138 0000');
    expect(text('toast').length).toBeGreaterThan(5);
    expect(sent(backend, 'drop-request')).toHaveLength(1);
  });
});

describe('the settings of a desktop', () => {
  it('say so when there is no tray, and can then not be chosen', async () => {
    const { backend } = await open('settings');
    await tap('tray-switch');
    expect(sent(backend, 'set-tray')).toEqual([{ command: 'set-tray', on: true }]);
    stop();
    await open('settings-trayless');
    expect((one('tray-switch') as HTMLInputElement).disabled).toBe(true);
  });

  it('are not there on a phone', async () => {
    const { backend } = await open('settings');
    backend.push({ desk: null });
    await settle();
    expect([...all('tray-switch'), ...all('notices-switch')]).toEqual([]);
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

describe('what is said of the money', () => {
  it('promises that nothing is charged only while a top-up reads', async () => {
    for (const scene of Object.keys(scenes)) {
      await open(scene);
      const said = document.body.textContent.includes('不会扣钱');
      expect(said, scene).toBe(['topup-read', 'topup-poor'].includes(scene));
      stop();
    }
  });

  it.each(['resume-wait', 'resume-read', 'resume-running', 'resume-offline', 'resume-failed'])('%s tells amount and place', async (scene) => {
    await open(scene);
    expect(document.body.textContent).toContain('¥50.00 已从账户转出');
    expect(document.body.textContent).not.toContain('没有动用任何钱');
  });

  it.each(['topup-code-wrong', 'home-trouble', 'welcome-trouble', 'balance-failed'])('is nothing in %s', async (scene) => {
    await open(scene);
    expect(one('error-money').getAttribute('aria-hidden'), 'there for testers alone').toBe('true');
  });

  it('asks for the card again when it is taken away', async () => {
    const { backend } = await open('topup-gone');
    expect(document.querySelector('.hold')?.textContent).toContain('不要动');
    backend.push({ reader: { state: 'empty', name: 'R', readers: ['R'], chosen: null } });
    await settle();
    expect(document.querySelector('.hold')?.textContent).toContain('放回');
  });
});

describe('a failure', () => {
  it('says what happened, where the money is and what to do', async () => {
    await open('topup-torn');
    expect(text('error-code')).toBe('card-lost');
    expect(text('error-money')).toContain('¥50.00');
    expect(text('error-action').length).toBeGreaterThan(5);
    await tap('retry');
    expect(document.querySelector('[data-testid="screen-resume"]'), 'a load that waits is finished by a re-top-up').not.toBeNull();
  });

  it('that the core rejects with is shown like one of the view', async () => {
    const { backend } = await open('topup-phone');
    backend.run = () => Promise.reject(failure('too-many', 'account', 'again', { retry_after_ms: '30000' }) as unknown as Error);
    await type('phone-input', '13800006021');
    await tap('send-code');
    expect([text('error-code'), text('error-action').includes('30')]).toEqual(['too-many', true]);
  });
});

describe('the screens', () => {
  it('ignore a view older than the one they show', async () => {
    const { app, backend } = await open('home');
    const old = await backend.view();
    backend.push({ network: 'offline' });
    app.take(old);
    expect(app.view?.network).toBe('offline');
  });

  it('follow language, theme and text size at once', async () => {
    const { app } = await open('home');
    await app.run({ command: 'set-language', language: 'en' });
    await app.run({ command: 'set-theme', theme: 'dark' });
    await app.run({ command: 'set-text-size', percent: 200 });
    await settle();
    expect(document.querySelector('h1')?.textContent).toMatch(/Home|Tapfill/);
    expect([document.documentElement.dataset.theme, document.documentElement.style.fontSize]).toEqual(['dark', '200%']);
  });

  it('ask before the device is erased', async () => {
    const { backend } = await open('settings');
    await tap('erase-device');
    expect(sent(backend, 'erase-device')).toEqual([]);
    await tap('erase-confirm');
    expect(sent(backend, 'erase-device')).toHaveLength(1);
  });

  it('warn of a key that ends while the bank is away, before a top-up fails for it', async () => {
    const { backend } = await open('settings-key-soon');
    expect(text('key-warning')).toMatch(/39|40/);
    backend.push({ network: 'online' });
    await settle();
    expect(all('key-warning')).toEqual([]);
  });

  it('unlock, and never enrol anew, where nobody confirmed', async () => {
    const { backend } = await open('home-locked');
    await tap('retry');
    expect(sent(backend, 'unlock')).toHaveLength(1);
    expect(sent(backend, 'enrol')).toEqual([]);
  });

  it('show the lock as it is, not as it was tapped', async () => {
    const { backend } = await open('settings');
    const box = one('lock-switch') as HTMLInputElement;
    await tap('lock-switch');
    expect(sent(backend, 'set-lock')).toEqual([{ command: 'set-lock', on: true }]);
    expect(box.checked).toBe(true);
    backend.run = () => Promise.reject(failure('unlock-unable', 'none', 'again') as unknown as Error);
    await tap('lock-switch');
    expect(box.checked).toBe(true);
  });

  it('show each part of the diagnostics', async () => {
    await open('settings');
    await tap('run-diagnostics');
    const parts = ['service', 'reader', 'other-programs', 'keystore', 'packages', 'clock', 'dns', 'proxy', 'tls', 'security-server', 'transaction-server'];
    for (const part of parts) one(`diagnostic-${part}`);
    one('copy-report');
  });

  it('say of each part that is wrong what it is, why and what to do, and of the rest what comes first', async () => {
    await open('settings-no-name');
    await tap('run-diagnostics');
    const dns = one('diagnostic-dns');
    expect(dns.dataset.state).toBe('bad');
    expect(dns.querySelectorAll('p')).toHaveLength(4);
    expect(dns.textContent).toContain('bank.example');
    expect(one('diagnostic-tls').dataset.state).toBe('skipped');
    expect(text('diagnostic-tls'), 'names the part to mend first').toContain('DNS');
    expect(text('diagnostic-other-programs'), 'no card is no fault').toContain('放上卡');
    expect(text('diagnostics-verdict')).toContain('2');
  });

  it('say that nothing is wrong where nothing is', async () => {
    await open('settings-well');
    await tap('run-diagnostics');
    expect(document.querySelectorAll('[data-testid^="diagnostic-"][data-state="bad"]')).toHaveLength(0);
    expect(text('diagnostics-verdict')).toContain('正常');
  });

  it('show where the time went, on request', async () => {
    await open('settings');
    expect(all('times-topup')).toEqual([]);
    await tap('show-times');
    const hops = [...one('times-topup').querySelectorAll('tbody tr')].map((row) => (row as HTMLElement).dataset.testid);
    expect(hops).toEqual(['hop-card', 'hop-app', 'hop-cipher', 'hop-network', 'hop-bank', 'hop-total']);
    expect(one('times-topup').querySelector('.cipher td')?.textContent, 'less than 10 ms with a decimal').toBe('0.4 毫秒');
    expect(one('times-balance').querySelectorAll('tbody tr'), 'a balance needs no bank').toHaveLength(3);
    stop();
    await open('settings-fresh');
    await tap('show-times');
    one('times-none');
  });

  it('say what the diagnostics found, and leave the list a list', async () => {
    await open('settings');
    await tap('run-diagnostics');
    const list = one('diagnostic-clock').closest('ul');
    expect(list?.hasAttribute('role')).toBe(false);
    expect(list?.parentElement?.querySelector('[role="status"]')?.textContent).toContain('2');
  });

  it('show every purse without scrolling inside the page, the newest large', async () => {
    await open('home-crowd');
    expect(all('purse-card').map((purse) => purse.classList.contains('compact'))).toEqual([false, true, true, true, true]);
    expect(document.querySelector('.purses')).toBeNull();
  });

  it('lead from a missing reader to the checks, and begin them', async () => {
    const { app, backend } = await open('balance-service-down');
    await tap('check-reader');
    expect([app.screen, sent(backend, 'leave').length, sent(backend, 'run-diagnostics').length]).toEqual(['settings', 1, 1]);
    one('diagnostic-service');
    stop();
    const home = await open('home-unsure');
    await tap('check-reader');
    expect(sent(home.backend, 'run-diagnostics')).toHaveLength(1);
    await home.app.open('home');
    await home.app.open('settings');
    await settle();
    expect(sent(home.backend, 'run-diagnostics'), 'once, not at each visit').toHaveLength(1);
  });

  it('offer the checks with a failure that they can explain, and with no other', async () => {
    const { backend } = await open('balance-busy');
    await tap('check');
    expect(sent(backend, 'run-diagnostics')).toHaveLength(1);
    stop();
    await open('topup-funds');
    expect(all('check')).toEqual([]);
  });

  it('ask for the card before a code can be sent for it', async () => {
    const { backend } = await open('topup-phone-first');
    one('card-first');
    backend.push({ reader: { state: 'card', name: 'R', readers: ['R'], chosen: null } });
    await settle();
    expect(all('card-first')).toEqual([]);
  });

  it('say which part of the reader is missing', async () => {
    await open('balance-missing');
    const none = document.querySelector('.hold')?.textContent;
    stop();
    await open('balance-service-down');
    expect(document.querySelector('.hold')?.textContent).not.toBe(none);
  });

  it('print a receipt with the dialog of the web view', async () => {
    const print = vi.fn();
    vi.stubGlobal('print', print);
    await open('topup-done');
    await tap('print-receipt');
    expect(print).toHaveBeenCalledOnce();
    vi.unstubAllGlobals();
  });

  it('filter the history', async () => {
    await open('history');
    expect(all('history-row')).toHaveLength(7);
    await tap('filter-unfinished');
    expect(all('history-row')).toHaveLength(1);
    expect(all('history-finish')).toEqual([]);
  });

  it('open a record that says where the money is and what to do', async () => {
    const { app, backend } = await open('history-pending');
    all('history-open')[0]?.click();
    await settle();
    expect(one('history-detail').dataset.place).toBe('in-transit');
    expect(one('detail-money').textContent).toContain('50.00');
    expect(one('detail-action').textContent).toContain('4471');
    expect(one('detail-reference').textContent).toBe('TF-7K2M-91QX');
    await tap('action-refund');
    expect(sent(backend, 'refund')).toEqual([{ command: 'refund' }]);
    await app.open('history');
    expect(all('history-detail')).toEqual([]);
  });

  it('tell what became of a load that is over', async () => {
    await open('history');
    const places = ['in-transit', 'on-card', 'account', 'on-card', 'account', 'written-off', 'none'];
    for (const [i, place] of places.entries()) {
      all('history-open')[i]?.click();
      await settle();
      expect(one('history-detail').dataset.place).toBe(place);
      expect(one('detail-action').textContent).not.toBe('');
      expect(all('detail-money')).toHaveLength(place === 'none' ? 0 : 1);
      await tap('detail-back');
    }
  });

  it('give the money back from home', async () => {
    const { backend } = await open('home-pending');
    await tap('action-refund');
    expect(sent(backend, 'refund')).toHaveLength(1);
  });

  it('finish a load from its row', async () => {
    const { backend } = await open('history-pending');
    await tap('history-finish');
    expect(sent(backend, 'begin')).toEqual([{ command: 'begin', kind: 'resume' }]);
  });

  it('count the time of the step that runs', async () => {
    await open('topup-running');
    await new Promise((resolve) => setTimeout(resolve, 250));
    await settle();
    expect(one('step-write').textContent).toMatch(/0\.[2-9] 秒/);
  });

  it('show when the key ends, so that renewing it is seen', async () => {
    await open('settings');
    const before = text('key-expiry');
    await tap('renew-key');
    expect(text('key-expiry')).not.toBe(before);
    expect(text('suite')).toBe('AES-256-GCM');
  });
});
