import { flushSync } from 'svelte';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';

import { card, transaction } from './lib/backend/scenes';
import { canCheck } from './lib/errors';
import { loadFailureWords } from './lib/i18n/failures.svelte';
import { all, one, open, sent, settle, stop, tap, text } from './testing';

/** What people asked who saw the app for the first time: each has its answer on the screen. */
beforeAll(async () => {
  await Promise.all([loadFailureWords(), import('./features/screens')]);
});
afterEach(stop);

describe('which account pays', () => {
  it.each(['topup-amount', 'topup-password-wrong', 'queue-password'])('is said beside the button that pays, %s', async (scene) => {
    await open(scene);
    expect(text('payer')).toContain('138\u00a0••••\u00a06021');
    expect(text('payer')).toContain('随手充演示银行');
  });

  it('is on the receipt, and of a load that somebody else may have paid only the bank', async () => {
    await open('topup-done');
    expect(text('receipt-account')).toBe('随手充演示银行，手机 138\u00a0••••\u00a06021');
    stop();
    await open('resume-loaded');
    expect(text('receipt-account')).toBe('随手充演示银行');
    stop();
    await open('history');
    all('history-open')[1]?.click();
    await settle();
    expect(text('detail-account')).toBe('随手充演示银行');
  });

  it('is nothing where no money moves', async () => {
    for (const scene of ['activate-password', 'activate-done', 'balance']) {
      await open(scene);
      expect([...all('payer'), ...all('receipt-account')], scene).toEqual([]);
      stop();
    }
  });
});

describe('where a file is that was saved', () => {
  it.each([
    ['history', 'export-history', 'Documents/tapfill-history.csv'],
    ['queue-next', 'queue-save', 'Documents/tapfill-list-cccccccc.csv'],
    ['settings', 'export-trace', 'Documents/tapfill-trace.jsonl'],
  ])('stays on the screen and can be copied, %s', async (scene, button, path) => {
    const writeText = vi.spyOn(navigator.clipboard, 'writeText').mockResolvedValue();
    await open(scene);
    expect(all('saved')).toEqual([]);
    await tap(button);
    expect(text('saved')).toContain(path);
    await tap('copy-path');
    expect(writeText).toHaveBeenCalledWith(path);
    await tap('saved-close');
    expect(all('saved'), 'until it is put away').toEqual([]);
    writeText.mockRestore();
  });
});

describe('where a file is that was saved, once the page is left', () => {
  it('is told no more', async () => {
    const { app } = await open('history');
    await tap('export-history');
    one('saved');
    await app.open('settings');
    await settle();
    expect(all('saved')).toEqual([]);
  });
});

describe('how long the card has to stay', () => {
  it.each(['balance', 'topup-done', 'resume-loaded', 'resume-already', 'resume-refunded'])('is answered at the end, %s', async (scene) => {
    await open(scene);
    expect(document.querySelector('main')?.textContent).toContain('卡可以拿开了');
  });
});

describe('what is wrong with a reader', () => {
  const follows = (id: string, other: string): boolean => (one(id).compareDocumentPosition(all(other)[0] as HTMLElement) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0;

  it('is found out near the top of the settings, in a window and on a phone', async () => {
    const { app } = await open('settings');
    expect(app.wide).toBe(true);
    expect(follows('run-diagnostics', 'package-row')).toBe(true);
    vi.stubGlobal('innerWidth', 390);
    app.measure();
    await settle();
    expect(app.wide).toBe(false);
    for (const other of ['package-row', 'terminal-id', 'tray-switch']) expect(follows('run-diagnostics', other), other).toBe(true);
    vi.unstubAllGlobals();
  });

  it.each(['service-down', 'service-hung', 'reader-none', 'reader-busy', 'reader-denied', 'nfc-off', 'nfc-none'] as const)('is one step from the failure %s', (code) => {
    expect(canCheck(code)).toBe(true);
  });

  it('is said once, with one way to the checks, while a card is waited for', async () => {
    for (const scene of ['balance-missing', 'balance-service-down', 'balance-service-hung']) {
      await open(scene);
      expect(document.querySelector('.hold')?.textContent, scene).toBe('现在读不了卡');
      expect([all('check').length, all('check-reader').length, document.querySelectorAll('.say .lead').length], scene).toEqual([1, 0, 0]);
      stop();
    }
  });

  it('is nothing while a card is only waited for: no failure is told', async () => {
    for (const scene of ['balance-wait', 'topup-wait', 'resume-wait']) {
      const { backend } = await open(scene);
      expect((await backend.view()).transaction?.error?.code, 'as the core has it').toBe('card-none');
      expect([...all('error'), ...all('error-code')], scene).toEqual([]);
      stop();
    }
  });

  it('is one step from a screen where no card is noticed', async () => {
    const { app, backend } = await open('topup-wait');
    await tap('check-reader');
    expect([app.screen, sent(backend, 'run-diagnostics').length, sent(backend, 'leave').length]).toEqual(['settings', 1, 0]);
    await tap('return');
    expect(app.screen, 'the code need not be typed again').toBe('topup');
  });

  it('shows a top-up again that waited meanwhile, as soon as its card is there', async () => {
    const { app, backend } = await open('topup-wait');
    await tap('check-reader');
    one('return');
    const waiting = (await backend.view()).transaction;
    backend.push({ transaction: waiting && { ...waiting, stage: 'running' } });
    await settle();
    expect(app.screen).toBe('topup');
  });

  it('says what became of a top-up that waited when its person goes elsewhere', async () => {
    const { app, backend } = await open('topup-wait');
    await tap('check-reader');
    await app.open('home');
    await settle();
    expect([app.screen, sent(backend, 'leave').length, all('return').length]).toEqual(['home', 1, 0]);
    expect(text('toast')).toContain('没有扣钱');
  });
});

describe('a card that is active already', () => {
  it('says so before a password is asked for, and offers what comes next', async () => {
    const { backend } = await open('activate-password');
    backend.push({ transaction: transaction('activate', { stage: 'password', card: card() }) });
    await settle();
    expect(one('activate-state').dataset.state).toBe('already');
    expect(text('card-number')).toBe('•••• 4471');
    expect([...all('pin-pad'), ...all('submit')], 'nothing to type').toEqual([]);
    await tap('activate-other');
    expect(sent(backend, 'begin'), 'another card is read anew').toEqual([{ command: 'begin', kind: 'activate' }]);
  });

  it('is another one than a card that waits for its activation', async () => {
    const { backend } = await open('activate-password');
    backend.push({ transaction: transaction('activate', { stage: 'password', card: card(Date.now(), { active: false }) }) });
    await settle();
    one('pin-pad');
    expect(one('activate-state').dataset.state).toBe('password');
  });

  it('can be topped up from there', async () => {
    const { backend } = await open('activate-already');
    await tap('topup-this');
    expect(sent(backend, 'begin')).toEqual([{ command: 'begin', kind: 'topup' }]);
  });
});

describe('what is waited for, and for how long', () => {
  const later = async (): Promise<void> => {
    await vi.advanceTimersByTimeAsync(2100);
    flushSync();
  };
  afterEach(() => vi.useRealTimers());

  it.each([['topup-read', '卡片'], ['topup-approve', '银行'], ['topup-running', '卡片'], ['topup-confirm', '银行']])('is said of a step that takes long, %s', async (scene, who) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true });
    await open(scene);
    expect(document.querySelector('.slow')).toBeNull();
    await later();
    expect(document.querySelector('.slow')?.textContent).toMatch(new RegExp(`在等${who}.*\\d+ 秒`));
  });

  it.each([['topup-phone', 'send-code'], ['topup-code', 'verify-code'], ['queue-password', 'submit']])('is on the button while the bank takes its time, %s', async (scene, button) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true });
    const { backend } = await open(scene);
    const { transaction: top, queue } = await backend.view();
    backend.push({ transaction: top && { ...top, busy: true }, queue: queue && { ...queue, busy: true } });
    flushSync();
    expect(text(button)).not.toContain('在等银行');
    await later();
    expect(text(button)).toContain('在等银行');
  });

  it('is said before the card is put there', async () => {
    await open('topup-wait');
    expect(document.querySelector('.say')?.textContent).toMatch(/大约要放 \d+ 秒/);
  });
});
