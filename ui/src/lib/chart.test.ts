import { describe, expect, it } from 'vitest';

import { card } from './backend/scenes';
import { balanceChart } from './chart';

describe('the chart of the balance', () => {
  it('goes from the oldest entry to the newest in steps', () => {
    const chart = balanceChart(card().log, 340, 104, 12);
    expect(chart).toMatchObject({ first: 3650, last: 12_850, low: 3650, high: 13_050 });
    expect(chart?.points.map((p) => p.load)).toEqual([false, true, false, false, true, false]);
    expect(chart?.line).toMatch(/^M12 92(H[\d.]+V[\d.]+){5}$/);
  });

  it('is left out when the log does not give two balances', () => {
    expect(balanceChart([], 340, 104, 12)).toBeNull();
    expect(balanceChart(card().log.map((e) => ({ ...e, balanceAfter: null })), 340, 104, 12)).toBeNull();
  });
});
