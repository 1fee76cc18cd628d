import { mount, unmount } from 'svelte';
import { expect, it } from 'vitest';

import { App } from './lib/app.svelte';
import { FakeBackend } from './lib/backend/fake';
import Style from './style/Style.svelte';
import { settle } from './testing';

/** The page itself, with all that is around a screen: every scene shows it. */
const AROUND = ['Shell'];

const components = Object.keys(import.meta.glob('./components/*.svelte')).map((path) => /(\w+)\.svelte$/.exec(path)?.[1] ?? path);
const sheets = import.meta.glob<string>('./style/*.svelte', { query: '?raw', import: 'default', eager: true });

it('the style page shows every component', () => {
  const shown = Object.values(sheets).join('\n');
  expect(components.length).toBeGreaterThan(25);
  expect(components.filter((name) => !AROUND.includes(name) && !new RegExp(`<${name}[\\s/>]`).test(shown))).toEqual([]);
});

it('the style page is drawn', async () => {
  const app = new App(new FakeBackend('home'));
  const page = mount(Style, { target: document.body, props: { app } });
  const leave = await app.start();
  await settle();
  expect(document.querySelectorAll('.kit')).toHaveLength(6);
  expect([...document.querySelectorAll('figure > div')].filter((pose) => pose.childElementCount === 0).map((pose) => pose.previousElementSibling?.textContent)).toEqual([]);
  leave();
  await unmount(page);
});
