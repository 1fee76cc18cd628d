import { describe, expect, it } from 'vitest';

import { beside, broken } from './ticket';

describe('a note on a receipt', () => {
  const within = (most: number) => (text: string): boolean => text.length <= most;

  it('is broken between words', () => {
    expect(broken('has left the account and waits', within(12))).toEqual(['has left the', 'account and', 'waits']);
  });

  it('is broken between Chinese characters, and never before a mark', () => {
    expect(broken('钱已从账户转出，替卡留着。', within(7))).toEqual(['钱已从账户转', '出，替卡留着。']);
    for (const line of broken('放回同一张卡就会结清，不会重复扣款。', within(5))) expect(line).not.toMatch(/^[，。]/);
  });

  it('keeps every character', () => {
    const text = '¥50.00 has left, 替这张卡留着。';
    expect(broken(text, within(6)).join('').replace(/\s/g, '')).toBe(text.replace(/\s/g, ''));
    expect(broken('', within(3))).toEqual([]);
  });
});

describe('the code on a picture', () => {
  it('has beside it what it is for, in lines that fit, and whose receipt it is', () => {
    const lines = beside({ rows: [], note: 'Scan to have the bank check this', caption: ['¥50.00', 'TF-7K2M-91QX', '23 Nov 2026 10:00:00'] }, (text) => text.length <= 12);
    expect(lines.filter((line) => !line.strong).every((line) => line.text.length <= 12)).toBe(true);
    expect(lines.filter((line) => line.strong).map((line) => line.text)).toEqual(['¥50.00', 'TF-7K2M-91QX', '23 Nov 2026 10:00:00']);
  });
});
