import { locale } from './i18n/words.svelte';
import { m } from './paraglide/messages.js';

const DAY_MS = 86_400_000;
const CHINA_MINUTES = 480;
/** Of `2026-11-23`. */
const DAY_LENGTH = 10;

/** Today and yesterday in words, else the day as the language writes it, with the year when it is another. */
export function when(ms: number, nowMs: number): string {
  const date = new Date(ms);
  const time = clock(date);
  const days = Math.round((midnight(nowMs) - midnight(ms)) / DAY_MS);
  if (days === 0) return m['time.today']({ time });
  if (days === 1) return m['time.yesterday']({ time });
  const year = date.getFullYear() === new Date(nowMs).getFullYear() ? undefined : 'numeric';
  return `${day(date, year)} ${time}`;
}

/** {@link when} where it begins a line. */
export function whenFirst(ms: number, nowMs: number): string {
  const text = when(ms, nowMs);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** `24 Nov 06:44`, for what is to come. */
export function until(ms: number): string {
  const date = new Date(ms);
  return `${day(date, undefined)} ${clock(date)}`;
}

/** To the second, for receipts. Away from China with the zone: a receipt is read by others, and beside the bank's. */
export function stamp(ms: number): string {
  const date = new Date(ms);
  return [day(date, 'numeric'), `${clock(date)}:${two(date.getSeconds())}`, foreignZone(ms)].filter(Boolean).join(' ');
}

/** When a card's log says that it was: `2026-11-23T18:06:00` in China, by the clock of this device; a day alone as it is. */
export function cardWhen(text: string | null, nowMs: number): string | null {
  const ms = text === null ? NaN : new Date(text.length > DAY_LENGTH ? `${text}+08:00` : `${text}T00:00:00`).getTime();
  if (text === null || Number.isNaN(ms)) return null;
  return text.length > DAY_LENGTH ? whenFirst(ms, nowMs) : day(new Date(ms), 'numeric');
}

/** `UTC+1` where this device's clock is not China's, whose time is the one of banks and cards; else nothing. */
export function foreignZone(ms: number): string {
  const minutes = -new Date(ms).getTimezoneOffset();
  if (minutes === CHINA_MINUTES) return '';
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  return minutes === 0 ? 'UTC' : `UTC${minutes < 0 ? '−' : '+'}${hours}${rest === 0 ? '' : `:${two(rest)}`}`;
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

/** English as in most of the world: the day before the month. */
function day(date: Date, year: 'numeric' | undefined): string {
  const tag = locale() === 'en' ? 'en-GB' : locale();
  return new Intl.DateTimeFormat(tag, { day: 'numeric', month: 'short', year }).format(date);
}

function clock(date: Date): string {
  return `${two(date.getHours())}:${two(date.getMinutes())}`;
}

function two(n: number): string {
  return String(n).padStart(2, '0');
}
