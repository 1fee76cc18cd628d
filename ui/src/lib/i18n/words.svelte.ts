import type { Language } from '../bindings/Language';
import type { LocalName } from '../bindings/LocalName';
import { baseLocale, isLocale, locales, overwriteGetLocale } from '../paraglide/runtime.js';

export type Locale = (typeof locales)[number];

let current = $state<Locale>(baseLocale);
overwriteGetLocale(() => current);

export function locale(): Locale {
  return current;
}

export function useLanguage(language: Language): void {
  current = language === 'system' ? ofSystem(navigator.languages) : language;
  document.documentElement.lang = current;
}

/** Chinese is written in two ways, and a tag names one by its script or by the place. */
const TRADITIONAL = /^zh\b.*-(Hant|TW|HK|MO)\b/i;

/** The first of the system's languages that there are words for; any Chinese is read in one of its two scripts. */
export function ofSystem(wanted: readonly string[]): Locale {
  for (const tag of wanted) {
    if (isLocale(tag)) return tag;
    if (TRADITIONAL.test(tag)) return 'zh-TW';
    const found = locales.find((known) => known.split('-')[0] === tag.split('-')[0]);
    if (found) return found;
  }
  return wanted.length > 0 ? 'en' : baseLocale;
}

/** What each language calls itself, for choosing one. */
export const LANGUAGES: Record<Locale, string> = { 'zh-CN': '简体中文', 'zh-TW': '繁體中文', en: 'English' };

/** A name from an industry package in the language of the screen; a package need not give Chinese in both scripts. */
export function nameOf(name: LocalName): string {
  if (current === 'zh-TW' && name['zh-TW']) return name['zh-TW'];
  return current.startsWith('zh') ? name['zh-CN'] : name.en;
}
