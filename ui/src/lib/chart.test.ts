import { describe, expect, it } from 'vitest';

import { card } from './backend/scenes';
import { balanceChart } from './chart';

describe('the chart of the balance', () => {
  it('goes from the oldest entry to the newest in steps', () => {
    const chart = balanceChart(card().log, 340, 104, 12);
    expect(chart).toMatchObject({ first: 3650, last: 12_850, high: 13_050 });
    expect(chart?.points.map((p) => p.load)).toEqual([false, true, false, false, true, false]);
    expect(chart?.line).toMatch(/^M12 69.6(H[\d.]+V[\d.]+){5}$/);
  });

  it('stands on 0, and is as long as the time that passed', () => {
    const { log } = card();
    const hours = [120, 96, 33, 26, 9, 1];
    const chart = balanceChart(log, 340, 104, 12);
    expect(chart?.points.map((p) => Math.round(p.x))).toEqual(hours.map((ago) => Math.round(12 + ((120 - ago) / 119) * 316)));
    expect(chart?.span).toEqual([log[5]?.time, log[0]?.time]);
    expect(balanceChart(log.map((e) => ({ ...e, balanceAfter: 0 })), 340, 104, 12)?.points.map((p) => p.y)).toEqual([92, 92, 92, 92, 92, 92]);
  });

  it('has its entries at equal distances where the card does not tell when each was', () => {
    const chart = balanceChart(card().log.map((e, i) => (i === 2 ? { ...e, time: null } : e)), 340, 104, 12);
    expect(chart?.points.map((p) => Math.round(p.x))).toEqual([12, 75, 138, 202, 265, 328]);
    expect(chart?.span).toBeNull();
  });

  it('is left out when the log does not give two balances', () => {
    expect(balanceChart([], 340, 104, 12)).toBeNull();
    expect(balanceChart(card().log.map((e) => ({ ...e, balanceAfter: null })), 340, 104, 12)).toBeNull();
  });
});
