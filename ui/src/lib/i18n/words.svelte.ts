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

/** The first of the system's languages that there are words for; Chinese of any kind is `zh-CN`. */
export function ofSystem(wanted: readonly string[]): Locale {
  for (const tag of wanted) {
    if (isLocale(tag)) return tag;
    const found = locales.find((known) => known.split('-')[0] === tag.split('-')[0]);
    if (found) return found;
  }
  return wanted.length > 0 ? 'en' : baseLocale;
}

/** A name from an industry package in the language of the screen. */
export function nameOf(name: LocalName): string {
  return current === 'zh-CN' ? name['zh-CN'] : name.en;
}
