import { afterEach, beforeAll, describe, expect, it } from 'vitest';

import { failure } from './lib/backend/scenes';
import { loadFailureWords } from './lib/i18n/failures.svelte';
import { all, one, open, sent, settle, stop, tap, text, type } from './testing';

beforeAll(async () => {
  await Promise.all([loadFailureWords(), import('./features/screens')]);
});
afterEach(stop);

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
