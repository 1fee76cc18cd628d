import { afterEach, beforeAll, expect, it } from 'vitest';

import { same } from './lib/cards';
import { loadFailureWords } from './lib/i18n/failures.svelte';
import { all, one, open, sent, settle, stop, tap, type } from './testing';

beforeAll(async () => {
  await Promise.all([loadFailureWords(), import('./features/screens'), import('./features/home/CardDress.svelte')]);
});
afterEach(stop);

const first = (): HTMLElement => all('purse-card')[0]!;

async function edit(card: number): Promise<void> {
  all('card-edit')[card]!.click();
  await settle();
}

it('a card gets the name and the colour that its person chose, and only that card', async () => {
  const { backend } = await open('home-many');
  await edit(0);
  await tap('card-colour-plum');
  await type('card-label', '  爸爸的卡 ');
  await tap('card-save');
  expect(sent(backend, 'dress-card')).toEqual([{ command: 'dress-card', card: { industry: '0001', tail: '4471', mark: null }, label: '爸爸的卡', colour: 'plum' }]);
  expect(all('card-dialog')).toHaveLength(0);
  expect(first().dataset['card']).toBe('plum');
  expect(first().textContent).toContain('爸爸的卡');
  expect(first().textContent, 'what it is stays beside its number').toContain('公交钱包');
  expect(all('purse-card')[1]!.dataset['card']).toBe('ocean');
});

it('an empty name is none, and nothing is sent by leaving', async () => {
  const { backend } = await open('home-many');
  await edit(1);
  await tap('card-cancel');
  expect(backend.commands.filter((it) => it.command === 'dress-card')).toEqual([]);
  await edit(1);
  await type('card-label', ' ');
  await tap('card-save');
  expect(all('purse-card')[1]!.textContent).not.toContain('奶奶');
});

it('a card that is removed is gone from Home', async () => {
  await open('home-many');
  await edit(1);
  await tap('card-forget');
  expect(all('purse-card')).toHaveLength(1);
  expect(one('purse-card').textContent).toContain('4471');
});

it('two cards with the same last digits are two cards', async () => {
  const { app, backend } = await open('home-many');
  const [purse] = app.view!.purses;
  backend.push({ purses: [1, 2, 3].map((mark) => ({ ...purse!, mark })) });
  await settle();
  expect(all('purse-card')).toHaveLength(3);
  expect(same({ ...purse!, mark: 1 }, { ...purse!, mark: 2 })).toBe(false);
  expect(same({ ...purse!, mark: 1 }, { ...purse!, mark: null })).toBe(true);
});
