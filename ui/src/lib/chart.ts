import type { LogEntryView } from './bindings/LogEntryView';

export interface Point { x: number; y: number; load: boolean }
/** `span`: when the first and the last entry were, as the card has it; null where it does not say that of all. */
export interface Chart { points: Point[]; line: string; area: string; high: number; first: number; last: number; span: readonly [string, string] | null }

/**
 * The balance after each entry, oldest first, as steps: between two entries a balance does not change, so a slope
 * would be untrue. From 0 up, and by time where the card tells it. Null with fewer than two known balances.
 */
export function balanceChart(log: readonly LogEntryView[], width: number, height: number, pad: number): Chart | null {
  const known = log.filter((e): e is LogEntryView & { balanceAfter: number } => e.balanceAfter !== null).reverse();
  const first = known[0];
  const last = known.at(-1);
  if (known.length < 2 || !first || !last) return null;
  const high = Math.max(...known.map((e) => e.balanceAfter));
  const at = timesOf(known);
  const points = known.map((e, i) => ({
    x: pad + (at ? (at[i] ?? 0) : i / (known.length - 1)) * (width - 2 * pad),
    y: height - pad - (high === 0 ? 0 : e.balanceAfter / high) * (height - 2 * pad),
    load: e.kind === 'load',
  }));
  const line = points.map((p, i) => (i === 0 ? `M${n(p.x)} ${n(p.y)}` : `H${n(p.x)}V${n(p.y)}`)).join('');
  const area = `${line}V${height - pad}H${n(points[0]?.x ?? 0)}Z`;
  const span = at && first.time !== null && last.time !== null ? ([first.time, last.time] as const) : null;
  return { points, line, area, high, first: first.balanceAfter, last: last.balanceAfter, span };
}

/** Where each entry stands between the first, 0, and the last, 1; null where a time is missing, or they are not in the card's order. */
function timesOf(entries: readonly LogEntryView[]): number[] | null {
  const ms = entries.map((e) => (e.time === null ? NaN : Date.parse(e.time)));
  const [from, to] = [ms[0] ?? NaN, ms.at(-1) ?? NaN];
  const inOrder = ms.every((time, i) => i === 0 || time >= (ms[i - 1] ?? NaN));
  return inOrder && to > from ? ms.map((time) => (time - from) / (to - from)) : null;
}

function n(value: number): string {
  return String(Math.round(value * 10) / 10);
}
