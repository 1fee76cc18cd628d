import type { App } from '../app.svelte';
import type { AppView } from '../bindings/AppView';
import type { Command } from '../bindings/Command';
import type { Language } from '../bindings/Language';
import type { Reply } from '../bindings/Reply';
import type { TransactionView } from '../bindings/TransactionView';
import { same } from '../cards';
import { device } from '../device';
import { loadFailureWords } from '../i18n/failures.svelte';
import { diagnostics, isChecked, times } from './checks';
import { closedItems, loadedItems, queue, tap } from './scenes-queue';
import type { QueueView } from '../bindings/QueueView';
import { baseView, card, failure, history, receipt, scenes, steps, transaction } from './scenes';
import type { Backend } from './types';

const DONE: Reply = { reply: 'done' };
const STEP_MS = 900;
/** The code and the password that the scripted bank takes. */
const RIGHT_CODE = '409128';

/** A core on a script: shows one scene, and plays a top-up from there when someone uses the screens. */
export class FakeBackend implements Backend {
  readonly first = null;
  readonly commands: Command[] = [];
  #listeners = new Set<(view: AppView) => void>();
  #view: AppView;
  #phone = '';
  readonly #scene: string;

  constructor(scene: string, patch: Partial<AppView> = {}) {
    const now = Date.now();
    this.#scene = scene;
    this.#view = onDevice({ ...baseView(now), ...scenes[scene]?.(now), ...patch });
  }

  view(): Promise<AppView> {
    return Promise.resolve(this.#view);
  }

  listen(onView: (view: AppView) => void): Promise<() => void> {
    this.#listeners.add(onView);
    return Promise.resolve(() => this.#listeners.delete(onView));
  }

  run(command: Command): Promise<Reply> {
    this.commands.push(command);
    try {
      return Promise.resolve(this.#answer(command));
    } catch (thrown) {
      return Promise.reject(thrown as Error);
    }
  }

  push(patch: Partial<AppView>): void {
    this.#view = { ...this.#view, ...patch, revision: this.#view.revision + 1 };
    for (const listener of this.#listeners) listener(this.#view);
  }

  #on(patch: Partial<TransactionView>): void {
    const now = this.#view.transaction;
    if (now) this.push({ transaction: { ...now, ...patch } });
  }

  #answer(command: Command): Reply {
    const { settings } = this.#view;
    switch (command.command) {
      case 'history': return { reply: 'history', entries: history() };
      case 'export-history': return { reply: 'exported', path: 'Documents/tapfill-history.csv' };
      case 'save-receipt': return { reply: 'exported', path: `Documents/tapfill-${command.reference ?? 'receipt'}.png` };
      case 'export-trace': return { reply: 'exported', path: 'Documents/tapfill-trace.jsonl' };
      case 'run-diagnostics': return diagnostics(this.#scene);
      case 'times': return { reply: 'times', kinds: this.#scene === 'settings-fresh' ? [] : times() };
      case 'set-language': this.push({ settings: { ...settings, language: command.language } }); break;
      case 'set-theme': this.push({ settings: { ...settings, theme: command.theme } }); break;
      case 'set-text-size': this.push({ settings: { ...settings, textSize: command.percent } }); break;
      case 'set-lock': this.push({ settings: { ...settings, lock: command.on } }); break;
      case 'set-sound': this.push({ settings: { ...settings, sound: command.on } }); break;
      case 'set-tray': this.push({ settings: { ...settings, tray: command.on } }); break;
      case 'set-notices': this.push({ settings: { ...settings, notices: command.on } }); break;
      case 'drop-request': this.push({ request: null }); break;
      case 'update': this.push({ update: { version: '0.2.0', running: true, error: null } }); break;
      case 'unlock': this.push({ trouble: null }); break;
      case 'choose-reader': this.push({ reader: { ...this.#view.reader, chosen: command.name } }); break;
      case 'dress-card': this.push({ purses: this.#view.purses.map((purse) => (same(purse, command.card) ? { ...purse, label: command.label === '' ? null : command.label, colour: command.colour } : purse)) }); break;
      case 'forget-card': this.push({ purses: this.#view.purses.filter((purse) => !same(purse, command.card)) }); break;
      case 'enrol': this.push({ phase: 'enrolling', trouble: null }); setTimeout(() => this.push({ ...baseView(), phase: 'ready' }), 3 * STEP_MS); break;
      case 'erase-device': this.push({ phase: 'welcome', terminal: null, purses: [], pending: [], packages: [], transaction: null }); break;
      case 'leave': this.push({ transaction: null, queue: null }); break;
      case 'export-queue': return { reply: 'exported', path: 'Documents/tapfill-list-cccccccc.csv' };
      case 'renew-key': this.push({ terminal: { ...this.#view.terminal!, keyExpiresMs: Date.now() + 24 * 3_600_000 } }); break;
      case 'begin-queue': case 'open-queue': case 'pick-list': case 'choose-industry': case 'accept-list': case 'close-queue':
      case 'begin': case 'refund': case 'accept-request': case 'send-code': case 'verify-code': case 'pin-press': case 'pin-delete': case 'submit': case 'retry': this.#play(command); break;
    }
    return DONE;
  }

  #onQueue(patch: Partial<QueueView>): void {
    const now = this.#view.queue;
    if (now) this.push({ queue: { ...now, ...patch } });
  }

  /** A list from its file to the first card and its end. */
  #playList(command: Command): boolean {
    const now = this.#view.queue;
    if (command.command === 'begin-queue') this.push({ queue: queue('pick') });
    else if (command.command === 'open-queue') this.push({ queue: queue('tap', {}, ['loaded', 'loaded', 'loaded']) });
    else if (!now) return false;
    else if (command.command === 'pick-list') this.push({ queue: queue('check') });
    else if (command.command === 'choose-industry') this.#onQueue({ industry: command.industry });
    else if (command.command === 'accept-list') this.#onQueue({ stage: 'phone', sms: null });
    else if (command.command === 'send-code') this.#onQueue({ stage: 'code', sms: { phoneMasked: '138 •••• 6021', resendAtMs: Date.now() + 60_000, expiresAtMs: Date.now() + 300_000, tail: null } });
    else if (command.command === 'verify-code') this.#onQueue({ stage: 'password' });
    else if (command.command === 'pin-press') this.#onQueue({ pinDigits: Math.min(6, now.pinDigits + 1) });
    else if (command.command === 'pin-delete') this.#onQueue({ pinDigits: Math.max(0, now.pinDigits - 1) });
    else if (command.command === 'submit') this.#tapFirst();
    else if (command.command === 'close-queue') this.#onQueue({ stage: 'closed', tap: null, ...closedItems(now) });
    else if (command.command === 'retry') this.#onQueue({ error: null, tap: null });
    else return false;
    return true;
  }

  #tapFirst(): void {
    this.push({ queue: queue('tap') });
    const script: (() => Partial<QueueView>)[] = [
      () => ({ tap: tap({ count: 1 }) }),
      () => ({ tap: tap({ count: 1, state: 'running', item: 0, step: 'approve', place: 'unsure' }) }),
      () => ({ tap: tap({ count: 1, state: 'loaded', item: 0, place: 'on-card', balance: 17_850 }), ...loadedItems(this.#view.queue!, 0) }),
    ];
    script.forEach((patch, i) => setTimeout(() => { if (this.#view.queue?.stage === 'tap') this.#onQueue(patch()); }, (i + 1) * STEP_MS));
  }

  #play(command: Command): void {
    if (this.#playList(command)) return;
    const now = Date.now();
    const typed = this.#view.transaction?.pinDigits ?? 0;
    if (command.command === 'begin') {
      const stage = command.kind === 'topup' ? 'phone' : command.kind === 'activate' ? 'password' : 'running';
      this.push({ transaction: transaction(command.kind, { id: now.toString(16).padStart(32, '0'), stage, steps: steps('running') }) });
      if (command.kind === 'balance') setTimeout(() => this.#on({ stage: 'done', card: card(now) }), STEP_MS);
      const load = this.#view.pending[0];
      if (command.kind === 'resume') setTimeout(() => load ? this.#settle({ resume: 'loaded', place: 'on-card', receipt: receipt(now, { amount: load.amount, newBalance: 12_850 + load.amount }) }) : this.#on({ stage: 'done', card: card(now), resume: 'none' }), STEP_MS);
    }
    if (command.command === 'accept-request') {
      const asked = this.#view.request?.amount ?? null;
      this.push({ request: null, transaction: transaction('topup', { id: now.toString(16).padStart(32, '0'), stage: 'phone', asked, steps: steps('running') }) });
    }
    if (command.command === 'refund') {
      const refunded = receipt(now, { oldBalance: null, newBalance: null, place: 'account' });
      this.push({ transaction: transaction('resume', { id: now.toString(16).padStart(32, '0'), stage: 'running', refund: true, steps: steps('running') }) });
      setTimeout(() => this.#settle({ resume: 'refunded', receipt: refunded }), STEP_MS);
    }
    if (command.command === 'send-code') {
      this.#phone = `${command.phone.slice(0, 3)} •••• ${command.phone.slice(7)}`;
      this.#on({ stage: 'code', error: null, sms: { phoneMasked: this.#phone, resendAtMs: now + 60_000, expiresAtMs: now + 300_000, tail: this.#view.transaction?.card?.tail ?? this.#view.purses[0]?.tail ?? null } });
    }
    if (command.command === 'verify-code') {
      if (command.code === RIGHT_CODE) this.#on({ stage: 'password', error: null, limits: { min: 100, max: 87_150 } });
      else this.#on({ error: failure('code-wrong', 'account', 'edit', { tries_left: '4' }) });
    }
    if (command.command === 'pin-press') this.#on({ pinDigits: Math.min(12, typed + 1) });
    if (command.command === 'pin-delete') this.#on({ pinDigits: Math.max(0, typed - 1) });
    if (command.command === 'submit') this.#load(command.amount);
    if (command.command === 'retry') this.#on({ stage: 'wait-card', error: null });
  }

  /** The first load that waits is over. */
  #settle(patch: Partial<TransactionView>): void {
    this.push({ pending: this.#view.pending.slice(1) });
    this.#on({ stage: 'done', card: card(), ...patch });
  }

  #load(amount: number | null): void {
    const now = Date.now();
    const script: Partial<TransactionView>[] = [
      { stage: 'running', amount, steps: steps('running', 'waiting', 'waiting', 'waiting') },
      { steps: steps('done', 'running', 'waiting', 'waiting'), place: 'unsure', canCancel: false },
      { steps: steps('done', 'done', 'running', 'waiting'), place: 'in-transit' },
      { steps: steps('done', 'done', 'done', 'running'), place: 'on-card-unreported' },
      { stage: 'done', place: 'on-card', canCancel: true, card: card(now), receipt: receipt(now, { amount, newBalance: 12_850 + (amount ?? 0) }) },
    ];
    script.forEach((patch, i) => setTimeout(() => this.#on(patch), i * STEP_MS));
  }
}

/** A phone reads by NFC, and has no desktop. */
function onDevice(view: AppView): AppView {
  if (device !== 'phone') return view;
  const name = view.reader.name === null ? null : 'NFC';
  return { ...view, desk: null, reader: { ...view.reader, name, readers: name === null ? [] : [name] }, transaction: view.transaction && byNfc(view.transaction) };
}

/** What a reader lacks on a desktop is another thing on a phone. */
function byNfc(transaction: TransactionView): TransactionView {
  const { error } = transaction;
  if (error?.code === 'service-down') return { ...transaction, error: { ...error, code: 'nfc-off' } };
  return error?.code === 'reader-none' ? { ...transaction, error: { ...error, code: 'nfc-none', retry: 'no' } } : transaction;
}

/** The page that a scene is about. */
export function turn(app: App, scene: string): void {
  if (scene.startsWith('history')) app.page = 'history';
  if (scene.startsWith('settings')) app.page = 'settings';
  if (scene === 'settings-waits') app.parked = app.view?.transaction?.id ?? null;
}

/** Opens the page that a scene is about, and says when all of it is drawn. */
export async function pose(app: App): Promise<void> {
  const scene = new URLSearchParams(location.search).get('fake') ?? '';
  turn(app, scene);
  await Promise.all([import('../../features/screens'), import('../../components/Foot.svelte'), loadFailureWords(), document.fonts.ready]);
  await new Promise((resolve) => setTimeout(resolve, 50));
  if (isChecked(scene)) {
    for (const id of ['run-diagnostics', 'show-times']) document.querySelector<HTMLElement>(`[data-testid="${id}"]`)?.click();
    await new Promise((resolve) => setTimeout(resolve, 50));
    document.querySelector('[data-testid="diagnostics-verdict"]')?.scrollIntoView({ block: 'start' });
  }
  // For tests of the page alone: the scenes there are, and a way to change settings without loading anew.
  Object.assign(window, { tapfill: app, scenes: Object.keys(scenes) });
  document.documentElement.dataset.ready = 'yes';
}

export function fakeBackend(scene: string): FakeBackend {
  const query = new URLSearchParams(location.search);
  const view = baseView();
  const settings = { ...view.settings };
  settings.language = (query.get('lang') as Language | null) ?? settings.language;
  if (query.get('theme') === 'dark') settings.theme = 'dark';
  settings.textSize = Number(query.get('text') ?? 100);
  return new FakeBackend(scene, { settings });
}
