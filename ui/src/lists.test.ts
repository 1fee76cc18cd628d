import { afterEach, beforeAll, describe, expect, it } from 'vitest';

import { queue, tap as tapView } from './lib/backend/scenes-queue';
import flawType from './lib/bindings/FlawKind.ts?raw';
import { failureWord, loadFailureWords } from './lib/i18n/failures.svelte';
import { all, onPhone, one, open, sent, settle, stop, tap, text, type } from './testing';

beforeAll(async () => {
  await Promise.all([loadFailureWords(), import('./features/screens')]);
});
afterEach(stop);

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
    expect([text('queue-progress'), text('queue-loaded')]).toEqual(['已充 3 张，共 7 张', '3']);
    expect(document.querySelector<HTMLElement>('.bar .loaded')?.style.width, 'of the cards, whatever is on each').toMatch(/^42\.8/);
    expect(all('queue-item').map((item) => item.dataset.index)).toEqual(['2', '4', '5', '6', '0', '1', '3']);
    expect(all('queue-item').filter((item) => item.classList.contains('now')).map((item) => item.dataset.index), 'the card just loaded is seen among them').toEqual(['3']);
    expect(one('tap-state').getAttribute('aria-live')).toBe('assertive');
    expect(text('tap-state')).toContain('50.00');
    backend.push({ queue: queue('tap', { tap: tapView({ count: 4, state: 'ticked', item: 1 }) }, ['loaded', 'loaded', 'waiting', 'loaded']) });
    await settle();
    expect([one('tap-state').dataset.state, one('tap-state').dataset.count]).toEqual(['ticked', '4']);
    expect(text('tap-state')).toContain('李沐辰');
  });

  it('has the card just loaded first in its list on a phone', async () => {
    const { app } = await open('queue-next');
    await onPhone(app);
    expect(all('queue-item').map((item) => item.dataset.index)).toEqual(['3', '2', '4', '5', '6', '0', '1']);
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
    expect(text('saved')).toContain('tapfill-list');
    stop();
    const running = await open('queue-running');
    window.dispatchEvent(new PopStateEvent('popstate'));
    await settle();
    one('screen-queue');
    expect(sent(running.backend, 'leave')).toEqual([]);
  });
});
