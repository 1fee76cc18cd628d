import { beforeAll, describe, expect, it } from 'vitest';

import en from '../../../messages/en.json';
import codeType from '../bindings/Code.ts?raw';
import type { Code } from '../bindings/Code';
import type { Retry } from '../bindings/Retry';
import type { System } from '../device';
import { PLACES } from '../places';
import { failureWord, loadFailureWords } from './failures.svelte';
import { LANGUAGES, useLanguage, type Locale } from './words.svelte';

/** docs/failures.md is these words in another dress: `npm run failures` writes it, this test finds it out of date. */

const codes = [...(codeType.split('export type')[1] ?? '').matchAll(/"([a-z-]+)"/g)].map((match) => match[1] as Code);
const tongues = Object.keys(LANGUAGES) as Locale[];
const HEAD = `# Failures

What a person can meet, with the words of the app. Whoever helps people finds the code at the foot of each failure, and what the
person sees under it. A code never says alone where the money is: the app's journal does, and the app shows the sentence that
holds. Below are those that can come with each code. The app says one thing to do: the one for what is happening, if there is a row
for it; else the one for the system it runs on; else the one for all.

Written by \`npm run failures\` from \`ui/messages\` and \`ui/src/lib/places.ts\`; not to be edited.
`;
const said = (language: Locale, key: string): string => {
  useLanguage(language);
  return failureWord(key);
};
const parts = (code: Code): [string, (language: Locale) => string][] => [
  ['what happened', (language) => said(language, `code.${code}.title`)],
  ['why', (language) => said(language, `code.${code}.cause`)],
  ['where the money is', (language) => PLACES[code].map((place) => said(language, `money-unknown.${place}`)).join(' / ')],
  ['what to do', (language) => said(language, `code.${code}.remedy`)],
];
/** What comes before the general remedy: a row of its own, where there is one. */
const SYSTEMS: Record<System, string> = { linux: 'Linux', windows: 'Windows', macos: 'macOS', android: 'Android', ios: 'iOS' };
const RETRIES: Record<Retry, string> = { wait: 'while it waits', again: 'before it is tried again', resume: 'before it is finished', edit: 'before it is entered again', no: 'for good' };
const first = (code: Code): [string, (language: Locale) => string][] => [
  ...Object.entries(RETRIES).map(([retry, name]) => [name, `retry.${retry}.${code}`] as const),
  ...Object.entries(SYSTEMS).map(([system, name]) => [`on ${name}`, `on.${system}.${code}`] as const),
].flatMap(([name, key]) => (said('en', key) === '' ? [] : [[`… ${name}`, (language: Locale) => said(language, key)]]));
const section = (code: Code): string => [
  `\n## ${code}\n`,
  `| | ${tongues.map((tongue) => LANGUAGES[tongue]).join(' | ')} |`,
  `|---|${tongues.map(() => '---|').join('')}`,
  ...[...parts(code), ...first(code)].map(([name, text]) => `| ${name} | ${tongues.map(text).join(' | ')} |`),
].join('\n');

beforeAll(loadFailureWords);

describe('the failure catalogue', () => {
  it('lacks nothing of any code in any language', () => {
    expect(codes.length, 'the binding lists the codes').toBeGreaterThan(70);
    expect(Object.keys(PLACES).sort(), 'each code has its places').toEqual([...codes].sort());
    for (const code of codes) {
      for (const language of tongues) {
        for (const [name, text] of [...parts(code), ...first(code)]) {
          expect(text(language).trim(), `${code}: ${name} in ${language}`).not.toBe('');
          expect(text(language), `${code}: a bar would end the cell`).not.toContain('|');
        }
      }
    }
  });

  it('says why in other words than what', () => {
    for (const language of tongues) for (const code of codes) expect(said(language, `code.${code}.cause`), code).not.toBe(said(language, `code.${code}.title`));
  });

  it('says all that the app says before its general remedy', () => {
    const all = [...Object.values(en.on), ...Object.values(en.retry)].flatMap((told) => Object.keys(told));
    expect(codes.flatMap(first), 'each has a row').toHaveLength(all.length);
  });

  it('is docs/failures.md', async () => {
    await expect(`${HEAD}${codes.map(section).join('\n')}\n`).toMatchFileSnapshot('../../../../docs/failures.md');
  });
});
