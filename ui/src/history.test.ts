import { afterEach, beforeAll, describe, expect, it } from 'vitest';

import { loadFailureWords } from './lib/i18n/failures.svelte';
import { all, focused, onPhone, one, open, press, settle, stop, tap, text } from './testing';

beforeAll(async () => {
  await Promise.all([loadFailureWords(), import('./features/screens')]);
});
afterEach(stop);

describe('a record of the history in a window', () => {
  it('stands beside its list, always one that is listed', async () => {
    const { app } = await open('history');
    const beside = (): string | undefined => one('history-beside').querySelector<HTMLElement>('[data-testid="history-detail"]')?.dataset.place;
    const current = (): number[] => all('history-open').flatMap((row, i) => (row.getAttribute('aria-current') === 'true' ? [i] : []));
    expect([app.record, beside(), current()], 'the newest, though nobody chose it').toEqual([null, 'in-transit', [0]]);
    all('history-open')[1]?.focus();
    all('history-open')[1]?.click();
    await settle();
    expect([beside(), current()]).toEqual(['on-card', [1]]);
    expect(focused(), 'the list keeps the focus').toBe('history-open');
    expect(all('detail-back'), 'there is nothing to go back to').toEqual([]);
    all('history-open')[1]?.click();
    await settle();
    expect(one('history-beside').contains(document.activeElement), 'chosen again it has the focus').toBe(true);
    await press('Escape');
    expect(all('history-open').indexOf(document.activeElement as HTMLElement)).toBe(1);
    await tap('filter-unfinished');
    expect([beside(), current()]).toEqual(['in-transit', [0]]);
    await tap('filter-all');
    expect(current(), 'what was chosen is remembered').toEqual([1]);
    await onPhone(app);
    expect(one('history-detail').dataset.place, 'a window that was made small').toBe('on-card');
    await tap('detail-back');
    expect(all('history-row')).toHaveLength(7);
  });

  it('has the signed code of a load that is done, and of no other', async () => {
    const { app } = await open('history');
    expect(all('receipt-proof'), 'the first is not done').toEqual([]);
    all('history-open')[3]?.click();
    await settle();
    await settle();
    expect(one('receipt-proof').dataset.url).toContain(`${app.view?.about.receiptPage ?? ''}r=TF-`);
  });

  it('that the bank closed sends to the bank, and is not struck out like money that never left', async () => {
    await open('history');
    const row = all('history-row')[5];
    expect([row?.querySelector('em')?.textContent, row?.querySelector('b')?.className.includes('not-done')]).toEqual(['请联系银行', false]);
  });

  it('is the one that was chosen at home, and the way back leads home', async () => {
    const { app } = await open('home');
    all('history-open')[2]?.click();
    await settle();
    expect(text('history-beside')).toContain('TF-9Q3F-70MW');
    window.dispatchEvent(new PopStateEvent('popstate'));
    await settle();
    expect(app.screen).toBe('home');
  });
});
