import type { AppView } from '../bindings/AppView';
import type { Command } from '../bindings/Command';
import type { ErrorView } from '../bindings/ErrorView';
import type { Reply } from '../bindings/Reply';

/** What the screens need from the core. There are two: the app's own (Tauri) and a scripted one. */
export interface Backend {
  /** The view when the window opened, where it is known without asking. */
  readonly first: AppView | null;
  /** The view now. */
  view(): Promise<AppView>;
  /** Asks for something. Rejects with an {@link ErrorView}. */
  run(command: Command): Promise<Reply>;
  /** Calls back with each new view; the answer ends it. */
  listen(onView: (view: AppView) => void): Promise<() => void>;
}

/** Whatever was thrown, as an error with a code. */
export function asErrorView(thrown: unknown): ErrorView {
  if (isErrorView(thrown)) return thrown;
  return { code: 'internal', params: {}, retry: 'no', money: 'none', reference: null };
}

function isErrorView(thrown: unknown): thrown is ErrorView {
  return typeof thrown === 'object' && thrown !== null && 'code' in thrown && 'retry' in thrown && 'money' in thrown;
}
