/** Fen as yuan with two decimals: 12850 is `128.50`. Integers only, so that no cent is ever rounded. */
export function yuan(fen: number): string {
  const cents = fen % 100;
  return `${(fen - cents) / 100}.${String(cents).padStart(2, '0')}`;
}

/** Fen as yuan, without the decimals when there are none: 5000 is `50`. */
export function shortYuan(fen: number): string {
  return fen % 100 === 0 ? String(fen / 100) : yuan(fen);
}

/** The most that the core's amounts can hold, fen. */
const MAX_FEN = 4_294_967_295;

/**
 * What was typed, as fen; null when it is no amount. Takes full-width digits and the Chinese full stop,
 * because Chinese keyboards give them.
 */
export function parseYuan(text: string): number | null {
  const plain = halfWidth(text).replace(/[。，,]/g, '.').trim();
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
