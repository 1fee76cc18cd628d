import { flushSync, mount, unmount } from 'svelte';
import { expect, vi } from 'vitest';

import Root from './App.svelte';
import { App } from './lib/app.svelte';
import { FakeBackend, turn } from './lib/backend/fake';
import type { Command } from './lib/bindings/Command';

let end: (() => void) | undefined;

/** One scene of the scripted views in a page of its own. */
export async function open(scene: string): Promise<{ app: App; backend: FakeBackend }> {
  const backend = new FakeBackend(scene);
  const app = new App(backend);
  const root = mount(Root, { target: document.body, props: { app } });
  const leave = await app.start();
  turn(app, scene);
  end = () => { leave(); void unmount(root); document.body.replaceChildren(); };
  await settle();
  return { app, backend };
}
export async function settle(): Promise<void> {
  // The screens and the words of failures come by import: a busy machine takes its time for them.
  await vi.dynamicImportSettled();
  for (let i = 0; i < 4; i += 1) await new Promise((resolve) => setTimeout(resolve, 1));
  flushSync();
}
export const all = (id: string): HTMLElement[] => [...document.querySelectorAll<HTMLElement>(`[data-testid="${id}"]`)];
export function one(id: string): HTMLElement {
  const found = all(id);
  expect(found.length, `${id} is there once`).toBe(1);
  return found[0] as HTMLElement;
}
export const text = (id: string): string => one(id).textContent.trim();
export async function type(id: string, value: string): Promise<void> {
  const input = one(id) as HTMLInputElement;
  input.value = value;
  input.dispatchEvent(new Event('input', { bubbles: true }));
  await settle();
}
export async function tap(id: string): Promise<void> {
  one(id).click();
  await settle();
}
export const sent = (backend: FakeBackend, name: Command['command']): Command[] => backend.commands.filter((command) => command.command === name);
/** The window is as wide as a phone until the test ends. */
export async function onPhone(app: App): Promise<void> {
  vi.stubGlobal('innerWidth', 390);
  app.measure();
  await settle();
}
export function stop(): void {
  vi.unstubAllGlobals();
  end?.();
  end = undefined;
}
/** A key where the focus is, as a keyboard sends it. */
export async function press(key: string, more: KeyboardEventInit = {}): Promise<void> {
  (document.activeElement ?? document.body).dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...more }));
  await settle();
}
export const focused = (): string | null => document.activeElement?.getAttribute('data-testid') ?? null;
