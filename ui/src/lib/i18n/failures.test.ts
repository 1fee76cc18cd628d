import { beforeAll, describe, expect, it } from 'vitest';

import codeType from '../bindings/Code.ts?raw';
import type { Code } from '../bindings/Code';
import { PLACES } from '../places';
import { failureWord, loadFailureWords } from './failures.svelte';
import { LANGUAGES, useLanguage, type Locale } from './words.svelte';

/** docs/failures.md is these words in another dress: `npm run failures` writes it, this test finds it out of date. */

const codes = [...(codeType.split('export type')[1] ?? '').matchAll(/"([a-z-]+)"/g)].map((match) => match[1] as Code);
const tongues = Object.keys(LANGUAGES) as Locale[];
const HEAD = `# Failures

What a person can meet, with the words of the app. Whoever helps people finds the code at the foot of each failure, and what the
person sees under it. A code never says alone where the money is: the app's journal does, and the app shows the sentence that
holds. Below are those that can come with each code.

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
const section = (code: Code): string => [
  `\n## ${code}\n`,
  `| | ${tongues.map((tongue) => LANGUAGES[tongue]).join(' | ')} |`,
  `|---|${tongues.map(() => '---|').join('')}`,
  ...parts(code).map(([name, text]) => `| ${name} | ${tongues.map(text).join(' | ')} |`),
].join('\n');

beforeAll(loadFailureWords);

describe('the failure catalogue', () => {
  it('lacks nothing of any code in any language', () => {
    expect(codes.length, 'the binding lists the codes').toBeGreaterThan(70);
    expect(Object.keys(PLACES).sort(), 'each code has its places').toEqual([...codes].sort());
    for (const code of codes) {
      for (const language of tongues) {
        for (const [name, text] of parts(code)) {
          expect(text(language).trim(), `${code}: ${name} in ${language}`).not.toBe('');
          expect(text(language), `${code}: a bar would end the cell`).not.toContain('|');
        }
      }
    }
  });

  it('says why in other words than what', () => {
    for (const language of tongues) for (const code of codes) expect(said(language, `code.${code}.cause`), code).not.toBe(said(language, `code.${code}.title`));
  });

  it('is docs/failures.md', async () => {
    await expect(`${HEAD}${codes.map(section).join('\n')}\n`).toMatchFileSnapshot('../../../../docs/failures.md');
  });
});
