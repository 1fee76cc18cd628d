import { locale } from './i18n/words.svelte';
import { m } from './paraglide/messages.js';

const DAY_MS = 86_400_000;

/** `18:06` today, `昨天 18:06`, else `11-19 07:55`, with the year when it is another. */
export function when(ms: number, nowMs: number): string {
  const date = new Date(ms);
  const time = clock(date);
  const days = Math.round((midnight(nowMs) - midnight(ms)) / DAY_MS);
  if (days === 0) return m['time.today']({ time });
  if (days === 1) return m['time.yesterday']({ time });
  const sameYear = date.getFullYear() === new Date(nowMs).getFullYear();
  return `${sameYear ? day(date).slice(5) : day(date)} ${time}`;
}

/** {@link when} where it begins a line. */
export function whenFirst(ms: number, nowMs: number): string {
  const text = when(ms, nowMs);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** `24 Nov 06:44`, for what is to come. */
export function until(ms: number): string {
  const date = new Date(ms);
  const month = m['time.months']().split(' ')[date.getMonth()] ?? '';
  return m['time.day']({ day: date.getDate(), month, time: clock(date) });
}

/** `2026-11-23 18:06:09`, for receipts. */
export function stamp(ms: number): string {
  const date = new Date(ms);
  return `${day(date)} ${clock(date)}:${two(date.getSeconds())}`;
}

/** The card's own local time, `2026-11-23T18:06:00`, as milliseconds; null when it is none. */
export function cardTime(text: string | null): number | null {
  if (text === null) return null;
  const ms = new Date(text).getTime();
  return Number.isNaN(ms) ? null : ms;
}

/** How long, in the largest unit that says something. */
export function span(ms: number): string {
  const minutes = Math.max(1, Math.floor(ms / 60_000));
  if (minutes < 60) return m['time.minutes']({ count: minutes });
  if (minutes < 48 * 60) return m['time.hours']({ count: Math.floor(minutes / 60) });
  return m['time.days']({ count: Math.floor(minutes / 1440) });
}

/** Milliseconds as seconds with one decimal. */
export function seconds(ms: number): string {
  return new Intl.NumberFormat(locale(), { minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(ms / 1000);
}

function midnight(ms: number): number {
  return new Date(ms).setHours(0, 0, 0, 0);
}

function day(date: Date): string {
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

function clock(date: Date): string {
  return `${two(date.getHours())}:${two(date.getMinutes())}`;
}

function two(n: number): string {
  return String(n).padStart(2, '0');
}
