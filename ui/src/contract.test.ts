import { afterEach, beforeAll, describe, expect, it } from 'vitest';

import doc from '../../docs/ui-testing.md?raw';
import { scenes } from './lib/backend/scenes';
import { loadFailureWords } from './lib/i18n/failures.svelte';
import { open, stop } from './testing';

/** What docs/ui-testing.md promises to testers is what the page has, and nothing that the page has is left out. */

const table = doc.slice(doc.indexOf('\n## Ids'), doc.indexOf('\n## What can be made to happen'));
/** A name may stand for several: `step-<read\|write>`, `filter-<state>`, `receipt*`. */
const pattern = (name: string): RegExp =>
  new RegExp(`^${name.replace(/<([^>]+)>/g, (_, of: string) => (of.includes('|') ? `(${of.replaceAll('\\|', '|')})` : '[a-z0-9-]+')).replaceAll('*', '[a-z-]*')}$`);
const named = (text: string): string[] => [...text.matchAll(/`([a-z][a-z0-9-]*(?:<[^>`]+>)?[a-z-]*\*?)`/g)].map((match) => match[1] ?? '');
/** The same without what stands in brackets: states, and remarks. */
function outside(text: string): string {
  let depth = 0;
  return [...text].filter((sign) => { depth += sign === '(' ? 1 : 0; const kept = depth === 0; depth -= sign === ')' ? 1 : 0; return kept; }).join('');
}

const sources = import.meta.glob<string>(['./components/*.svelte', './features/**/*.svelte'], { query: '?raw', import: 'default', eager: true });
const source = Object.values(sources).join('\n');
const drawn = new Set<string>();

beforeAll(async () => {
  await Promise.all([loadFailureWords(), import('./features/screens')]);
});
afterEach(stop);

describe('the names that testers rely on', () => {
  it('are listed, every one that a scene draws', async () => {
    for (const scene of Object.keys(scenes)) {
      await open(scene);
      for (const element of document.querySelectorAll<HTMLElement>('[data-testid]')) drawn.add(element.dataset.testid ?? '');
      stop();
    }
    const listed = named(table).map(pattern);
    expect([...drawn].filter((id) => !listed.some((name) => name.test(id)))).toEqual([]);
  }, 120_000);

  it('are there, every one that is listed', () => {
    const rows = table.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| screen |'));
    const ids = rows.flatMap((row) => named(outside(row.split(' | ').slice(1).join(' | '))));
    expect(ids.length).toBeGreaterThan(100);
    const written = (id: string): boolean => source.includes(`"${id}"`) || source.includes(`'${id}'`);
    const joined = (id: string, at: number): boolean => source.includes(`${id.slice(0, at)}{`) && source.includes(`'${id.slice(at)}'`);
    const composed = (id: string): boolean =>
      (id.includes('<') && source.includes(`${id.split('<')[0] ?? ''}{`)) || [...id].some((sign, i) => sign === '-' && joined(id, i + 1));
    expect(ids.filter((id) => !written(id) && !composed(id) && ![...drawn].some((other) => pattern(id).test(other)))).toEqual([]);
  });
});
