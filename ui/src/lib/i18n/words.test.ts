import { beforeAll, describe, expect, it } from 'vitest';

import en from '../../../messages/en.json';
import zh from '../../../messages/zh-CN.json';
import tw from '../../../messages/zh-TW.json';
import codeType from '../bindings/Code.ts?raw';
import placeType from '../bindings/MoneyPlace.ts?raw';
import { actionOf, moneyOf, titleOf } from '../errors';
import * as messages from '../paraglide/messages/_index.js';
import type { Code } from '../bindings/Code';
import type { MoneyPlace } from '../bindings/MoneyPlace';
import { loadFailureWords } from './failures.svelte';
import { locale, nameOf, ofSystem, useLanguage } from './words.svelte';

const texts = (type: string): string[] => [...(type.split('export type')[1] ?? '').matchAll(/"([a-z-]+)"/g)].map((match) => match[1] ?? '');
const codes = texts(codeType) as Code[];
const places = texts(placeType) as MoneyPlace[];

function flat(tree: object, prefix = ''): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(tree)) {
    if (key === '$schema') continue;
    if (typeof value === 'string') found.set(prefix + key, value);
    else for (const [k, v] of flat(value as object, `${prefix}${key}.`)) found.set(k, v);
  }
  return found;
}
const languages = { 'zh-CN': flat(zh), 'zh-TW': flat(tw), en: flat(en) };
const blanks = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '').sort();

beforeAll(loadFailureWords);

describe('the words', () => {
  it('are compiled, one function for each message', () => {
    expect(Object.keys(messages).length, 'an empty catalogue means that the plugin was not found').toBeGreaterThan(300);
    expect(new Set(Object.keys(messages))).toEqual(new Set(languages['zh-CN'].keys()));
  });

  it.each(['zh-TW', 'en'] as const)('exist in %s with the same blanks', (language) => {
    expect([...languages[language].keys()].sort()).toEqual([...languages['zh-CN'].keys()].sort());
    for (const [key, text] of languages['zh-CN']) expect(blanks(languages[language].get(key) ?? ''), key).toEqual(blanks(text));
  });

  it('are never empty and never left in the other language', () => {
    for (const words of Object.values(languages)) for (const [key, text] of words) expect(text.trim(), key).not.toBe('');
    for (const [key, text] of languages.en) expect(text, key).toMatch(/^[^\u4e00-\u9fff]+$/);
  });

  it('are written in Taiwan as they are there', () => {
    const mainland = /[们这说为时钱银码还过开关书读写给让应该网络线图会对账证号币户]|充值|激活|短信|軟件|信息|屏幕|默認|服務器|網絡|打印|設置|這臺/;
    for (const [key, text] of languages['zh-TW']) expect(text, key).not.toMatch(mainland);
  });
});

describe.each(['zh-CN', 'zh-TW', 'en'] as const)('in %s', (language) => {
  beforeAll(() => useLanguage(language));

  it('every code says what happened and what to do', () => {
    expect(codes.length, 'the binding lists the codes').toBeGreaterThan(70);
    for (const code of codes) {
      const error = { code, params: {}, retry: 'no' as const, money: 'none' as const, reference: null };
      expect(titleOf(error), code).not.toBe('');
      expect(actionOf(error), code).not.toBe('');
      expect(actionOf(error), `${code}: what to do is not a repetition`).not.toBe(titleOf(error));
    }
  });

  it('every place of the money has a sentence, with the amount when it is known', () => {
    expect(places).toHaveLength(7);
    for (const place of places) {
      expect(moneyOf(place, null), place).not.toBe('');
      if (place !== 'none') expect(moneyOf(place, 5000), place).toContain('50.00');
    }
  });

  it('particulars of a failure are told', () => {
    const error = { code: 'code-wrong' as const, params: { tries_left: '3' }, retry: 'edit' as const, money: 'account' as const, reference: null };
    expect(actionOf(error)).toContain('3');
    expect(actionOf({ ...error, code: 'amount-high', params: { limit: '87150' } })).toContain('¥871.50');
  });

  it('a card that is not on the list is not the one that is wanted', () => {
    const error = { code: 'queue-unlisted' as const, params: { tail: '9044' }, retry: 'no' as const, money: 'none' as const, reference: null };
    const wanted = messages['error.tail']({ tail: '9044' });
    expect(actionOf({ ...error, code: 'card-other' })).toContain(wanted);
    expect(actionOf(error)).toContain('9044');
    expect(actionOf(error)).not.toContain(wanted);
  });

  it('what goes on by itself is told apart from what is tried again, and a card from a payment without one', () => {
    const error = { code: 'offline' as const, params: {}, retry: 'again' as const, money: 'account' as const, reference: null };
    expect(actionOf({ ...error, retry: 'wait' })).not.toBe(actionOf(error));
    expect(actionOf({ ...error, code: 'bank-silent', retry: 'resume' })).toMatch(/card|卡/);
    expect(actionOf({ ...error, code: 'bank-silent' })).not.toMatch(/card|卡/);
    expect(actionOf({ ...error, code: 'card-lost', retry: 'resume' }), 'what has begun is checked first').not.toBe(actionOf({ ...error, code: 'card-lost' }));
  });
});

describe('the language', () => {
  it('follows the system, and Chinese of any kind is Chinese', () => {
    for (const tag of ['zh-TW', 'zh-Hant', 'zh-Hant-TW', 'zh-HK', 'zh-MO']) expect(ofSystem([tag, 'en']), tag).toBe('zh-TW');
    for (const tag of ['zh', 'zh-CN', 'zh-Hans-SG', 'zh-SG']) expect(ofSystem([tag, 'en']), tag).toBe('zh-CN');
    expect(ofSystem(['en-GB'])).toBe('en');
    expect(ofSystem(['fr'])).toBe('en');
    expect(ofSystem([])).toBe('zh-CN');
  });

  it('changes at once, the document with it', () => {
    useLanguage('en');
    expect(messages['home.finish']()).toBe('Check and finish');
    useLanguage('zh-CN');
    expect(messages['home.finish']()).toBe('核对并完成');
    expect([locale(), document.documentElement.lang]).toEqual(['zh-CN', 'zh-CN']);
  });

  it("takes a package's name in the script of the screen, or the simplified one where that is all there is", () => {
    const both = { 'zh-CN': '公交钱包', 'zh-TW': '公車錢包', en: 'Transit purse' };
    useLanguage('zh-TW');
    expect([nameOf(both), nameOf({ ...both, 'zh-TW': null })]).toEqual(['公車錢包', '公交钱包']);
    useLanguage('zh-CN');
    expect(nameOf(both)).toBe('公交钱包');
    useLanguage('en');
    expect(nameOf(both)).toBe('Transit purse');
  });
});
