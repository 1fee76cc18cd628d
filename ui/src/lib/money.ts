import { locale } from './i18n/words.svelte';
import { m } from './paraglide/messages.js';

/** Making one costs far more than using it, and amounts are everywhere. */
const formats = new Map<string, Intl.NumberFormat>();
function format(): Intl.NumberFormat {
  const tag = locale();
  const known = formats.get(tag) ?? new Intl.NumberFormat(tag, { minimumFractionDigits: 2 });
  formats.set(tag, known);
  return known;
}

/** Fen as yuan the way the language writes it: 1234550 is `12,345.50`. Of integers, so that no cent is ever rounded. */
export function yuan(fen: number): string {
  const cents = fen % 100;
  const shown: Partial<Record<Intl.NumberFormatPartTypes, string>> = { fraction: String(cents).padStart(2, '0') };
  return format().formatToParts((fen - cents) / 100).map((part) => shown[part.type] ?? part.value).join('');
}

/** Fen as yuan to be typed on, without the decimals when there are none: 5000 is `50`. */
export function typedYuan(fen: number): string {
  const cents = fen % 100;
  return cents === 0 ? String(fen / 100) : `${(fen - cents) / 100}.${String(cents).padStart(2, '0')}`;
}

/** The most that the core's amounts can hold, fen. */
const MAX_FEN = 4_294_967_295;

/**
 * What was typed, as fen; null when it is no amount. Takes full-width digits and the Chinese full stop,
 * because Chinese keyboards give them.
 */
export function parseYuan(text: string): number | null {
  const half = halfWidth(text).trim();
  const plain = /^\d{1,3}(,\d{3})+(\.\d{0,2})?$/.test(half) ? half.replaceAll(',', '') : half.replace(/[。，,]/g, '.');
  const match = /^(\d{1,9})(?:\.(\d{0,2}))?$/.exec(plain);
  if (!match) return null;
  const whole = Number.parseInt(match[1] ?? '0', 10);
  const cents = Number.parseInt((match[2] ?? '').padEnd(2, '0'), 10);
  const fen = whole * 100 + cents;
  return fen <= MAX_FEN ? fen : null;
}

/** Digits alone, full-width ones included; at most `most`. */
export function digitsOf(text: string, most: number): string {
  return halfWidth(text).replace(/\D/g, '').slice(0, most);
}

function halfWidth(text: string): string {
  return text.replace(/[\uff10-\uff19\uff0e]/g, (c) => String.fromCharCode(c.charCodeAt(0) - 0xfee0));
}

/** A masked number in one piece: no line ends within it. */
export function unbroken(phone: string): string {
  return phone.replaceAll(' ', '\u00a0');
}

/** The account of a load, as far as it is known here: its bank, and the masked phone of its owner. */
export function accountOf(bank: string, phone: string | null): string {
  return phone === null ? bank : m['receipt.account-of']({ bank, phone: unbroken(phone) });
}
