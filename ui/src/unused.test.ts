import { describe, expect, it } from 'vitest';

import en from '../messages/en.json';
import codeType from './lib/bindings/Code.ts?raw';
import flawType from './lib/bindings/FlawKind.ts?raw';
import placeType from './lib/bindings/MoneyPlace.ts?raw';
import retryType from './lib/bindings/Retry.ts?raw';

const sources = import.meta.glob<string>(['./**/*.{svelte,ts}', '!./**/*.test.ts', '!./lib/paraglide/**', '!./lib/bindings/**'], { query: '?raw', import: 'default', eager: true });
const used = new Set(Object.values(sources).flatMap((text) => [...text.matchAll(/\bm\['([^']+)'\]/g)].map((match) => match[1] ?? '')));

/** One of the texts that a binding lists. */
const oneOf = (type: string): string => `(${[...(type.split('export type')[1] ?? '').matchAll(/"([a-z-]+)"/g)].map((match) => match[1] ?? '').join('|')})`;
const code = oneOf(codeType);
const place = `(${oneOf(placeType)}|settled-account)`;
/** Keys that are made at run time, with everything that can be in their blanks; what a tray says is read by the build of the program. */
const made = new RegExp(`^(${[
  `code\\.${code}\\.(title|cause|remedy)`, `retry\\.${oneOf(retryType)}\\.${code}`, `on\\.(linux|windows|macos|android|ios)\\.${code}`,
  `money-(un)?known\\.${place}`, `flaw\\.${oneOf(flawType)}(-bare)?`, 'shell\\.(open|quit|notice-title|notice-text)',
].join('|')})$`);

function keys(tree: object, prefix = ''): string[] {
  return Object.entries(tree).flatMap(([key, value]) => (key === '$schema' ? [] : typeof value === 'string' ? [prefix + key] : keys(value as object, `${prefix}${key}.`)));
}

describe('a message', () => {
  it('is on some screen', () => {
    expect(used.size, 'the sources were read').toBeGreaterThan(300);
    expect(keys(en).filter((key) => !used.has(key) && !made.test(key))).toEqual([]);
  });
});
