import type { Locale } from '../i18n/words.svelte';

/** What people and banks are called on the scripted screens, as it would be where their language is spoken. */
interface Words { bank: string; list: string; people: readonly string[]; grandma: string }

const WORDS: Record<Locale, Words> = {
  'zh-CN': { bank: '随手充演示银行', list: '三年级二班 春游', people: ['陈一诺', '李沐辰', '王若溪', '赵子墨', '欧阳雨桐', '林知夏', '周景行'], grandma: '奶奶' },
  'zh-TW': { bank: '隨手充示範銀行', list: '三年二班 校外教學', people: ['陳怡君', '李承恩', '王品妍', '趙宥廷', '歐陽語彤', '林子晴', '周柏翰'], grandma: '奶奶' },
  en: { bank: 'Tapfill Demo Bank', list: 'Class 3B, spring', people: ['Ana Lima', 'Ben Okafor', 'Chloe Martin', 'Dev Patel', 'Eleanor Fitzgerald-Hughes', 'Farid Aziz', 'Grace Kim'], grandma: 'Grandma' },
};

/** A scene begins in the language of its address; one that is changed later changes no names. */
const wanted = (): string => new URLSearchParams(globalThis.location?.search ?? '').get('lang') ?? '';

export function words(): Words {
  const language = wanted();
  return language in WORDS ? WORDS[language as Locale] : WORDS['zh-CN'];
}
