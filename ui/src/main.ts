import { mount } from 'svelte';

import Root from './App.svelte';
import { App } from './lib/app.svelte';
import { backend as core } from './lib/backend/tauri';
import type { Backend } from './lib/backend/types';
import { system } from './lib/device';
import './styles/tokens.css';
import './styles/base.css';

async function backend(): Promise<Backend> {
  const scene = new URLSearchParams(location.search).get('fake');
  if (__FAKE__ && scene !== null) return (await import('./lib/backend/fake')).fakeBackend(scene);
  return core;
}

// The frame that Tauri puts between page and core holds nothing for people.
window.addEventListener('DOMContentLoaded', () => {
  const frame = document.getElementById('__tauri_isolation__');
  frame?.setAttribute('title', 'Tapfill');
  frame?.setAttribute('aria-hidden', 'true');
  frame?.setAttribute('tabindex', '-1');
});

// Styles need to know whose fonts there are.
document.documentElement.dataset['system'] = system;

/** A function, and no `await` of the module itself: WebKit runs what two fetch at once before the parts that it needs, where those wait for such a module. */
async function start(target: HTMLElement): Promise<void> {
  const app = new App(await backend());
  app.dress('system');
  void app.start();
  const style = __FAKE__ && new URLSearchParams(location.search).get('fake') === 'style';
  mount(style ? (await import('./style/Style.svelte')).default : Root, { target, props: { app } });
  if (__FAKE__) void import('./lib/backend/fake').then(({ pose }) => pose(app));
}

const target = document.getElementById('app');
if (target) void start(target);
