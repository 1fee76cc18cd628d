import type { LogEntryView } from './bindings/LogEntryView';

export interface Point { x: number; y: number; load: boolean }
export interface Chart { points: Point[]; line: string; area: string; low: number; high: number; first: number; last: number }

/**
 * The balance after each entry, oldest first, as steps: between two entries a balance does not change, so a slope
 * would be untrue. Null with fewer than two known balances.
 */
export function balanceChart(log: readonly LogEntryView[], width: number, height: number, pad: number): Chart | null {
  const known = log.filter((e): e is LogEntryView & { balanceAfter: number } => e.balanceAfter !== null).reverse();
  const first = known[0];
  const last = known.at(-1);
  if (known.length < 2 || !first || !last) return null;
  const values = known.map((e) => e.balanceAfter);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const run = (width - 2 * pad) / (known.length - 1);
  const points = known.map((e, i) => ({
    x: pad + i * run,
    y: high === low ? height / 2 : pad + ((high - e.balanceAfter) / (high - low)) * (height - 2 * pad),
    load: e.kind === 'load',
  }));
  const line = points.map((p, i) => (i === 0 ? `M${n(p.x)} ${n(p.y)}` : `H${n(p.x)}V${n(p.y)}`)).join('');
  const area = `${line}V${height}H${n(points[0]?.x ?? 0)}Z`;
  return { points, line, area, low, high, first: first.balanceAfter, last: last.balanceAfter };
}

function n(value: number): string {
  return String(Math.round(value * 10) / 10);
}
