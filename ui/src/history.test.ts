import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';

import { history } from './lib/backend/scenes';
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

describe('a filter of the history', () => {
  const kinds: Record<string, string> = { all: '全部', done: '已完成', unfinished: '待完成', 'not-done': '没成功' };
  const rows = (): (string | undefined)[] => all('history-row').map((row) => row.dataset.state);

  it('holds every record of its name, and no other, an activation among them', async () => {
    const { backend } = await open('history');
    const [activated] = history().slice(-1);
    if (!activated) throw new Error('the scenes have a history');
    const entries = [...history(), { ...activated, id: 'f'.repeat(32), state: 'not-done' as const }];
    const run = backend.run.bind(backend);
    vi.spyOn(backend, 'run').mockImplementation((command) => (command.command === 'history' ? Promise.resolve({ reply: 'history', entries }) : run(command)));
    await tap('nav-home');
    await tap('nav-history');
    const found: Record<string, (string | undefined)[]> = {};
    for (const filter of ['done', 'unfinished', 'not-done']) {
      await tap(`filter-${filter}`);
      found[filter] = rows();
      expect(new Set(rows()), filter).toEqual(new Set([filter]));
      expect(text(`filter-${filter}`), 'words that are true of an activation as well').toBe(kinds[filter]);
      const activations = all('history-row').filter((row) => row.textContent.includes('激活')).length;
      expect(activations, filter).toBe(filter === 'unfinished' ? 0 : 1);
    }
    await tap('filter-all');
    expect(rows().sort(), 'each record is under one of them').toEqual(Object.values(found).flat().sort());
    expect(rows()).toHaveLength(entries.length);
  });

  it('is what the table is saved with', async () => {
    const { backend } = await open('history');
    const run = vi.spyOn(backend, 'run');
    for (const [filter, state] of [['done', 'done'], ['not-done', 'not-done'], ['all', null]] as const) {
      await tap(`filter-${filter}`);
      await tap('export-history');
      await settle();
      expect(run.mock.lastCall?.[0]).toEqual({ command: 'export-history', language: 'zh-CN', state });
    }
  });
});
