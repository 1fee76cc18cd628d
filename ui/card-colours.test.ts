import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

import { COLOURS } from './src/lib/cards.ts';

/** WCAG 2.2, 1.4.3: relative luminance and contrast of two colours. */
function contrast(a: string, b: string): number {
  const light = (hex: string): number => {
    const part = (at: number): number => {
      const c = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    };
    return 0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5);
  };
  const [x, y] = [light(a), light(b)];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

/** As the lesser words of a card are drawn. */
function over(ink: string, ground: string): string {
  const SEEN = 0.92;
  const part = (hex: string, at: number): number => Number.parseInt(hex.slice(at, at + 2), 16);
  const mixed = [1, 3, 5].map((at) => Math.round(SEEN * part(ink, at) + (1 - SEEN) * part(ground, at)));
  return `#${mixed.map((it) => it.toString(16).padStart(2, '0')).join('')}`;
}

it('the words on a card of any colour can be read', () => {
  const tokens = readFileSync(`${import.meta.dirname}/src/styles/tokens.css`, 'utf8');
  const value = (block: string, name: string): string | undefined => new RegExp(`--${name}: (#[0-9a-f]{6})`).exec(block)?.[1];
  const [light = '', dark = ''] = tokens.split('[data-theme="dark"] {');
  for (const theme of [light, dark]) {
    const ink = value(theme, 'card-ink')!;
    for (const colour of COLOURS) {
      const block = colour === 'jade' ? theme : (tokens.split(`[data-card="${colour}"] {`)[1] ?? '');
      for (const name of ['card-1', 'card-2']) {
        const ground = value(block, name)!;
        expect(contrast(over(ink, ground), ground), `${colour} ${name}`).toBeGreaterThanOrEqual(4.5);
      }
    }
  }
});
