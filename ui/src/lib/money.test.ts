import { describe, expect, it } from 'vitest';

import { digitsOf, parseYuan, typedYuan, yuan } from './money';

describe('money', () => {
  it('is shown with two decimals', () => {
    expect([yuan(0), yuan(5), yuan(12_850), yuan(4_294_967_295)]).toEqual(['0.00', '0.05', '128.50', '42,949,672.95']);
    expect([typedYuan(5000), typedYuan(1250), typedYuan(123_450)]).toEqual(['50', '12.50', '1234.50']);
  });

  it('is read in integers, never rounded', () => {
    expect(parseYuan('0.29')).toBe(29);
    expect(parseYuan('1.1')).toBe(110);
    expect(parseYuan('19.99')).toBe(1999);
    expect(parseYuan('1,234.50'), 'as it is shown').toBe(123_450);
    for (let fen = 0; fen < 400_000; fen += 77) expect(parseYuan(yuan(fen))).toBe(fen);
  });

  it('takes what Chinese keyboards give', () => {
    expect(parseYuan('５０．５')).toBe(5050);
    expect(parseYuan('12。5')).toBe(1250);
    expect(parseYuan('50.')).toBe(5000);
  });

  it.each(['', ' ', '-5', '1,23,456', '+5', '1.234', 'abc', '1e3', '0x10', '.5', '1 000', '99999999999', '42949672.96', '五十', '5.0.0'])('refuses %j', (text) => {
    expect(parseYuan(text)).toBeNull();
  });

  it('keeps the digits of what was pasted', () => {
    expect(digitsOf('您的验证码是 409-128。', 6)).toBe('409128');
    expect(digitsOf('４０９１２８', 6)).toBe('409128');
    expect(digitsOf('12345678', 6)).toBe('123456');
  });
});
