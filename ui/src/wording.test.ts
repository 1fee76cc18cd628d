import { afterEach, beforeAll, describe, expect, it } from 'vitest';

import { kindWord, outcomeWord } from './features/history/words';
import { card, history, steps, transaction } from './lib/backend/scenes';
import { useLanguage } from './lib/i18n/words.svelte';
import { loadFailureWords } from './lib/i18n/failures.svelte';
import { one, open, settle, stop, tap, text, type } from './testing';

beforeAll(async () => {
  await Promise.all([loadFailureWords(), import('./features/screens')]);
});
afterEach(stop);

describe('the word before the code of an error', () => {
  it.each([['zh-CN', '错误代码'], ['zh-TW', '錯誤代碼'], ['en', 'Error code']] as const)('is not the one of the code by SMS, %s', async (language, word) => {
    const { app } = await open('topup-code');
    await app.run({ command: 'set-language', language });
    await type('code-input', '12');
    await tap('verify-code');
    await settle();
    expect(text('error-code'), 'testers read the code alone').toBe('code-bad');
    expect(one('error-code').parentElement?.textContent.trim()).toBe(`${word} code-bad`);
  });
});

describe('the steps', () => {
  const names = (): string[] => [...document.querySelectorAll('[data-testid^="step-"]')].map((step) => `${step.getAttribute('data-testid') ?? ''} ${step.querySelector('.text > span')?.textContent.replace(/,.*/, '') ?? ''}`);

  it('of a refund say that the money goes back, under the names that testers know', async () => {
    const { app, backend } = await open('resume-refund');
    await app.run({ command: 'set-language', language: 'en' });
    await settle();
    expect(names()).toEqual(['step-read Read the card', 'step-approve Bank checks', 'step-write Money goes back', 'step-confirm Bank confirms']);
    const told: (string | undefined)[] = [];
    for (const states of [['running'], ['done', 'running'], ['done', 'done', 'running'], ['done', 'done', 'done', 'running']] as const) {
      backend.push({ transaction: transaction('resume', { refund: true, stage: 'running', steps: steps(...states) }) });
      await settle();
      told.push(document.querySelector('h2')?.textContent);
    }
    expect(told.filter((title) => /writ|approv/i.test(title ?? '')), 'nothing is written, and nothing approved').toEqual([]);
  });

  it('of a load finished say that the card is written', async () => {
    const { backend } = await open('resume-refund');
    backend.push({ transaction: transaction('resume', { stage: 'running', steps: steps('done', 'running', 'waiting', 'waiting') }) });
    await settle();
    expect(names()[2]).toBe('step-write 写入卡片');
  });
});

describe('a card that was activated', () => {
  it('is to be topped up first where it holds nothing, and nobody is told to pay with it', async () => {
    const { backend } = await open('activate-done');
    const said = (): string => document.querySelector('[data-testid="activate-state"] .lead')?.textContent ?? '';
    expect(said()).toBe('卡里还没有钱，先充值再用。');
    backend.push({ transaction: transaction('activate', { stage: 'done', card: card() }) });
    await settle();
    expect(said()).toBe('可以充值，也可以刷卡。');
    backend.push({ transaction: transaction('activate', { stage: 'password', card: card(Date.now(), { balance: 0 }) }) });
    await settle();
    expect(said(), 'one that was active before').not.toContain('刷卡');
  });
});

describe('a record', () => {
  it('is called after what it is of, and says whether anything was charged', () => {
    useLanguage('en');
    const [entry] = history();
    if (!entry) throw new Error('the scenes have a history');
    const told = (kind: 'topup' | 'resume' | 'activate', state: 'done' | 'unfinished' | 'not-done', reference: string | null): string =>
      `${kindWord(kind)}: ${outcomeWord({ ...entry, kind, state, receipt: { ...entry.receipt, place: 'account', reference } })}`;
    expect([told('topup', 'done', null), told('topup', 'unfinished', null)]).toEqual(['Top-up: On the card', 'Top-up: Waiting']);
    expect([told('topup', 'not-done', null), told('resume', 'not-done', 'TF-1')]).toEqual(['Top-up: Not charged', 'Top-up finished later: Returned']);
    expect([told('activate', 'done', null), told('activate', 'not-done', null)], 'no money is put on a card').toEqual(['Activation: The card is active', 'Activation: Not activated']);
  });
});

describe('the choice of the language', () => {
  it.each([['zh-CN', '语言'], ['zh-TW', '語言'], ['en', '语言']] as const)('is found by who reads none of the page, %s', async (language, word) => {
    const { app } = await open('settings');
    await app.run({ command: 'set-language', language });
    await settle();
    expect(document.querySelector('label[for="language"]')?.textContent).toBe(`Language / ${word}`);
  });
});
