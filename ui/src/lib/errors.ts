import type { Code } from './bindings/Code';
import type { ErrorView } from './bindings/ErrorView';
import type { MoneyPlace } from './bindings/MoneyPlace';
import type { PendingView } from './bindings/PendingView';
import type { TransactionView } from './bindings/TransactionView';
import { system, type System } from './device';
import { failureWord } from './i18n/failures.svelte';
import { m } from './paraglide/messages.js';
import { yuan } from './money';

/** Failures whose cause the checks of the settings can find. */
export function canCheck(code: Code): boolean {
  return /^(service-|reader-|nfc-|keystore-(?!emptied)|offline|bank-(timeout|silent|untrusted)|certificate-|network-login|clock-wrong)/.test(code);
}

/** How loud a failure is: `stop` is red, `money` is amber, `note` is quiet. */
export type Tone = 'stop' | 'money' | 'note';

const STOPS: readonly Code[] = [
  'card-app-blocked', 'card-blocked', 'card-expired', 'card-key-unknown', 'card-counter-exhausted', 'password-locked', 'code-locked',
  'bank-untrusted', 'certificate-foreign', 'certificate-name', 'certificate-swapped', 'terminal-revoked', 'terminal-unknown', 'suite-refused', 'keystore-emptied', 'package-bad', 'package-unsigned', 'package-altered', 'package-signer',
  'disk-broken', 'profile-bad', 'internal',
];

export function toneOf(error: ErrorView, place: MoneyPlace = error.money): Tone {
  if (waits(place)) return 'money';
  return STOPS.includes(error.code) ? 'stop' : 'note';
}

/** True when money has left the account, or may have, and is not settled. */
export function waits(place: MoneyPlace): boolean {
  return place === 'unsure' || place === 'in-transit' || place === 'on-card-unreported';
}

export function titleOf(error: ErrorView): string {
  return failureWord(`code.${error.code}.title`);
}

/** Why it happens, in general. */
export function causeOf(error: ErrorView): string {
  return failureWord(`code.${error.code}.cause`);
}

/** What to do, by what can be done here and as this system has it, with the particulars that came with the failure. */
export function actionOf(error: ErrorView): string {
  return [failureWord(`retry.${error.retry}.${error.code}`) || remedyOf(error.code), ...particulars(error)].join(gap());
}

/** What to do about a code: on this system if that makes a difference. */
export function remedyOf(code: Code, on: System = system): string {
  return failureWord(`on.${on}.${code}`) || failureWord(`code.${code}.remedy`);
}

/** Where the money is, with the amount when it is known. */
export function moneyOf(place: MoneyPlace, amount: number | null): string {
  if (amount === null) return failureWord(`money-unknown.${place}`);
  return failureWord(`money-known.${place}`, { amount: yuan(amount) });
}

/** The money of a transaction: how much and where, as far as the view tells. */
export interface Stake { amount: number | null; place: MoneyPlace; /** The unfinished load's id. */ load: string | null; tail: string | null }

/** A re-top-up that knows nothing yet stands for the unfinished load of its card. */
export function stakeOf(transaction: TransactionView, pending: readonly PendingView[]): Stake {
  const tail = transaction.card?.tail ?? transaction.receipt?.tail ?? null;
  const only = transaction.kind === 'resume' && tail === null && pending.length === 1 ? pending[0] : undefined;
  const load = pending.find((p) => p.tail === tail) ?? only;
  const amount = transaction.amount ?? transaction.receipt?.amount ?? load?.amount ?? null;
  const unknown = transaction.kind === 'resume' && transaction.place === 'none';
  return { amount, place: unknown ? (load?.place ?? 'none') : transaction.place, load: load?.id ?? null, tail: load?.tail ?? tail };
}

/** Where the money is after a failure: an error that speaks of none doesn't hide money that is under way. */
export function placeAfter(error: ErrorView, stake: Stake | null): MoneyPlace {
  const silent = error.money === 'none' || error.money === 'account';
  return silent && stake && waits(stake.place) ? stake.place : error.money;
}

/** A failure found by the page itself before anything is sent. */
export function typed(code: Code, params: Record<string, string> = {}): ErrorView {
  return { code, params, retry: 'edit', money: 'none', reference: null };
}

function particulars({ code, params }: ErrorView): string[] {
  const told: string[] = [];
  const { tries_left, limit, tail, retry_after_ms, reader, status, incident } = params;
  if (tries_left) told.push(m['error.tries-left']({ count: tries_left }));
  if (limit && /^\d+$/.test(limit)) told.push(m['error.limit']({ amount: yuan(Number(limit)) }));
  // The card that is meant, or the one of a list's that lies there and is not.
  if (tail) told.push((code.startsWith('queue-') ? m['error.tail-here'] : m['error.tail'])({ tail }));
  if (retry_after_ms) told.push(m['error.retry-after']({ seconds: Math.ceil(Number(retry_after_ms) / 1000) }));
  if (reader) told.push(m['error.reader']({ reader }));
  if (status) told.push(m['error.status']({ status }));
  if (incident) told.push(m['error.incident']({ incident }));
  return told;
}

function gap(): string {
  return document.documentElement.lang.startsWith('zh') ? '' : ' ';
}
