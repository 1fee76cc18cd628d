import type { AppView } from './bindings/AppView';
import type { Command } from './bindings/Command';
import type { ErrorView } from './bindings/ErrorView';
import type { QueueView } from './bindings/QueueView';
import type { Reply } from './bindings/Reply';
import type { RequestView } from './bindings/RequestView';
import type { Theme } from './bindings/Theme';
import type { TransactionKind } from './bindings/TransactionKind';
import type { TransactionView } from './bindings/TransactionView';
import { asErrorView, type Backend } from './backend/types';
import { titleOf } from './errors';
import { beatOf, feel, prime, tapBeat } from './feel';
import { useLanguage } from './i18n/words.svelte';
import { learn } from './pace';
import { m } from './paraglide/messages.js';

export type Page = 'home' | 'history' | 'settings';
export type Screen = Page | TransactionKind | 'queue' | 'request' | 'welcome';

/** How long a control stays shut after its command was taken, for the view that follows from it. */
const SETTLE_MS = 600;
const TOAST_MS = 4000;
const DARK = window.matchMedia('(prefers-color-scheme: dark)');
/** From this width in rem on there is a rail and two columns; text of 200 % makes one column of a window. */
const WIDE_REM = 54;
/** From this width in rem on, and wider than high, a window has a list and the record chosen from it side by side. */
const SIDED_REM = 62;
/** A phone on its side is lower and wider than this, and narrower than any tablet on its side. */
const LOW = { height: 30, least: 38, most: 62 };
/** From this width on a phone on its side has two columns beside its rail. */
const LOW_WIDE_REM = 44;
/** Below this width, mostly by large text, the head of a phone's page has no room for the bank's name. */
const SLIM_REM = 22;
/** A window that is lower than this has no room for anything above the page. */
const ROOM_REM = 36;

/** What the page knows: the newest view, the page chosen, and which requests are on their way. */
export class App {
  view = $state.raw<AppView | null>(null);
  page = $state<Page>('home');
  error = $state.raw<ErrorView | null>(null);
  toast = $state('');
  /** Where a file was just put, in words and by its path: told until it is put away or the page is left. */
  saved = $state.raw<{ path: string; text: string } | null>(null);
  now = $state(Date.now());
  /** Of the window, in rem: large text makes a small one of it. */
  #size = $state.raw({ width: 0, height: 0 });
  /** A transaction that goes on after its screen was left. */
  hidden = $state<string | null>(null);
  /** A transaction that waits for its card while the checks are looked at: it is on the screen again when it goes on. */
  parked = $state<string | null>(null);
  /** Settings are to be shown at the checks, which begin by themselves. */
  checking = $state(false);
  /** The record of the history that is open: a page of its own, or beside the list. */
  record = $state<string | null>(null);
  #flying = $state.raw<readonly string[]>([]);
  #keys: Promise<unknown> = Promise.resolve();
  #toastTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly backend: Backend) {}

  /** A phone on its side: no room for a bar at the bottom or a rail with names. */
  get low(): boolean {
    const { width, height } = this.#size;
    return height < LOW.height && width >= LOW.least && width < LOW.most;
  }

  /** Two columns. What has the whole screen of a phone on its side always has two. */
  get wide(): boolean {
    const { width } = this.#size;
    if (!this.low) return width >= WIDE_REM;
    return width >= LOW_WIDE_REM || this.transaction !== null || this.queue !== null || this.request !== null;
  }

  /** Room for a rail with names, and for everything beside it. */
  get roomy(): boolean {
    return this.wide && !this.low;
  }

  /** Room for a list and, beside it, the record chosen from it. */
  get sided(): boolean {
    const { width, height } = this.#size;
    return this.roomy && width >= SIDED_REM && width > height;
  }

  /** No room to cover any of the page: a foot with an error would be most of it. */
  get cramped(): boolean {
    return this.#size.height < ROOM_REM;
  }

  /** No room for words beside those of the reader. */
  get slim(): boolean {
    return this.#size.width < SLIM_REM;
  }

  get transaction(): TransactionView | null {
    const transaction = this.view?.transaction ?? null;
    return transaction && transaction.id !== this.hidden && !this.waits ? transaction : null;
  }

  /** What was typed waits for its card, out of sight. */
  get waits(): boolean {
    const { id, stage } = this.view?.transaction ?? {};
    return id !== undefined && id === this.parked && stage === 'wait-card';
  }

  get background(): TransactionView | null {
    const transaction = this.view?.transaction ?? null;
    return transaction && transaction.id === this.hidden ? transaction : null;
  }

  /** The list on the screen: many cards, one payment. */
  get queue(): QueueView | null {
    return this.view?.queue ?? null;
  }

  /** A card of the list is at work, or the bank is asked: its screen can't be left now. */
  get queueAtWork(): boolean {
    const queue = this.queue;
    return queue !== null && (queue.busy || queue.tap?.state === 'reading' || queue.tap?.state === 'running');
  }

  /** What a link asks for. One that came while something else was going on has no screen. */
  get request(): RequestView | null {
    const request = this.view?.request ?? null;
    return request?.error?.code === 'link-busy' ? null : request;
  }

  get screen(): Screen {
    if (!this.view || this.view.phase !== 'ready') return 'welcome';
    if (this.request) return 'request';
    return this.transaction?.kind ?? (this.queue ? 'queue' : this.page);
  }

  /** Listens and draws the first view. The answer ends it. */
  async start(): Promise<() => void> {
    if (this.backend.first) this.take(this.backend.first);
    const stop = await this.backend.listen((view) => this.take(view));
    this.take(await this.backend.view());
    const tick = setInterval(() => (this.now = Date.now()), 1000);
    const redress = (): void => this.dress(this.view?.settings.theme ?? 'system');
    DARK.addEventListener('change', redress);
    return () => {
      DARK.removeEventListener('change', redress);
      clearInterval(tick);
      stop();
    };
  }

  take(view: AppView): void {
    if (this.view && view.revision < this.view.revision) return;
    const stage = this.transaction?.stage;
    const listStage = this.queue?.stage;
    const beat = beatOf(this.view?.transaction ?? null, view.transaction) ?? tapBeat(this.queue, view.queue);
    this.#turnAway(view.request);
    this.view = view;
    if (beat) feel(beat, view.settings.sound);
    if (view.transaction?.stage === 'done') learn(view.transaction.steps);
    this.now = Date.now();
    if (this.page === 'home' && this.background?.stage !== 'running') this.hidden = null;
    if (this.transaction?.stage !== stage || this.queue?.stage !== listStage) this.#forget();
    useLanguage(view.settings.language);
    document.documentElement.style.fontSize = `${view.settings.textSize}%`;
    this.dress(view.settings.theme);
    this.measure();
  }

  /** Light or dark; with `system` it follows the system, also while the app runs. */
  dress(theme: Theme): void {
    const dark = theme === 'system' ? DARK.matches : theme === 'dark';
    document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  }

  measure(): void {
    const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
    this.#size = { width: window.innerWidth / rem, height: window.innerHeight / rem };
  }

  flying(command: Command['command']): boolean {
    return this.#flying.includes(command);
  }

  /** Sends a command once: the same one again is dropped until the first is answered and drawn. */
  async run(command: Command): Promise<Reply | null> {
    const name = command.command;
    if (this.flying(name)) return null;
    this.#flying = [...this.#flying, name];
    this.error = null;
    const revision = this.view?.revision;
    try {
      const reply = await this.backend.run(command);
      if (reply.reply === 'done') await this.#drawn(revision);
      return reply;
    } catch (thrown) {
      this.error = asErrorView(thrown);
      return null;
    } finally {
      this.#flying = this.#flying.filter((flying) => flying !== name);
    }
  }

  /** A key of the keypad. They go one after the other, so that the order of the digits is kept. */
  key(command: Command): void {
    this.error = null;
    this.#keys = this.#keys
      .then(() => this.backend.run(command))
      .catch((thrown: unknown) => (this.error = asErrorView(thrown)));
  }

  /** Enters a transaction; the core shows the one that can't be stopped instead, if there is one. */
  async begin(kind: TransactionKind): Promise<void> {
    if (this.flying('begin')) return;
    this.hidden = null;
    prime(this.view?.settings.sound ?? false);
    await this.run({ command: 'begin', kind });
  }

  /** Enters a new list, or goes on with one that was paid. */
  async openQueue(id: string | null = null): Promise<void> {
    const command: Command = id === null ? { command: 'begin-queue' } : { command: 'open-queue', id };
    if (this.flying(command.command)) return;
    this.hidden = null;
    prime(this.view?.settings.sound ?? false);
    await this.run(command);
  }

  /** Enters a re-top-up that gives the money back instead: of that load, by its id, where it is known. */
  async refund(load: string | null): Promise<void> {
    if (this.flying('refund')) return;
    this.hidden = null;
    await this.run({ command: 'refund', load });
  }

  /** Goes to a page. A transaction that can't be stopped goes on out of sight; its result shows at home. */
  async open(page: Page, record: string | null = null): Promise<void> {
    this.page = page;
    this.record = record;
    this.#forget();
    if (this.request) return this.drop();
    if (page === 'home' && this.background?.stage !== 'running') this.hidden = null;
    if (this.waits) return this.#giveUp();
    const transaction = this.transaction;
    if (this.queue && !this.queueAtWork) await this.run({ command: 'leave' });
    if (!transaction) return;
    if (transaction.stage === 'running' && !transaction.canCancel) this.hidden = transaction.id;
    else await this.run({ command: 'leave' });
  }

  /** Goes on with what a link asks for: the top-up's first screen, with the amount typed. */
  async accept(): Promise<void> {
    this.hidden = null;
    prime(this.view?.settings.sound ?? false);
    await this.run({ command: 'accept-request' });
  }

  /** Puts away what a link asks for. */
  async drop(): Promise<void> {
    await this.run({ command: 'drop-request' });
  }

  /** A link that came in the middle of something is told in passing, and forgotten. */
  #turnAway(request: RequestView | null): void {
    const error = request?.error ?? null;
    if (error?.code !== 'link-busy' || this.view?.request?.error?.code === 'link-busy') return;
    this.say(titleOf(error));
    void this.backend.run({ command: 'drop-request' });
  }

  /** Looks for the fault: the checks of the settings, begun. Whatever a person typed waits meanwhile. */
  async check(): Promise<void> {
    const { id, kind, stage } = this.transaction ?? {};
    const isTyped = stage === 'wait-card' && (kind === 'topup' || kind === 'activate');
    this.checking = true;
    this.parked = isTyped && id !== undefined ? id : null;
    if (!this.parked) return this.open('settings');
    this.page = 'settings';
    this.#forget();
  }

  /** Elsewhere nobody would know what a card does that is put there: what waits is over, and that is said. */
  async #giveUp(): Promise<void> {
    const isTopUp = this.view?.transaction?.kind === 'topup';
    await this.run({ command: 'leave' });
    this.parked = null;
    if (isTopUp) this.say(m['stage.cancelled']());
  }

  /** What was told belongs to what was on the screen. */
  #forget(): void {
    this.error = null;
    this.saved = null;
  }

  say(text: string): void {
    clearTimeout(this.#toastTimer);
    this.toast = text;
    this.#toastTimer = setTimeout(() => (this.toast = ''), TOAST_MS);
  }

  /** Waits for the view that follows from a command, but not for long. */
  async #drawn(revision: number | undefined): Promise<void> {
    const until = Date.now() + SETTLE_MS;
    while (this.view?.revision === revision && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 16));
    }
  }
}
