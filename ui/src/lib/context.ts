import { getContext, setContext } from 'svelte';

import type { App } from './app.svelte';

const KEY = 'app';

export function provideApp(app: App): void {
  setContext(KEY, app);
}

export function useApp(): App {
  return getContext<App>(KEY);
}

/** Moves the focus to a heading when a screen or a stage appears, so that a screen reader starts there. */
export function focusHere(node: HTMLElement): void {
  if (document.activeElement === document.body || document.activeElement === null) {
    node.tabIndex = -1;
    node.focus({ preventScroll: true });
  }
}
