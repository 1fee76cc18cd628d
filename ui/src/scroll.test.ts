import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';

import { failure, receipt, steps, transaction } from './lib/backend/scenes';
import { queue, tap } from './lib/backend/scenes-queue';
import { loadFailureWords } from './lib/i18n/failures.svelte';
import { open, settle, stop } from './testing';
import type { AppView } from './lib/bindings/AppView';

beforeAll(async () => {
  await Promise.all([loadFailureWords(), import('./features/screens')]);
});
afterEach(stop);

describe('a page that was scrolled down', () => {
  it('begins at its top with each stage and each result, and stays where it is in between', async () => {
    const { backend } = await open('topup-phone');
    const scroll = vi.spyOn(window, 'scrollTo');
    const drawn = async (patch: Partial<AppView>): Promise<number> => {
      scroll.mockClear();
      backend.push(patch);
      await settle();
      return scroll.mock.calls.filter(([x, y]) => Number(x) === 0 && y === 0).length;
    };
    const step = (stage: 'code' | 'password' | 'running' | 'failed' | 'done', more = {}): Promise<number> => drawn({ transaction: transaction('topup', { stage, ...more }) });
    expect(await step('code')).toBe(1);
    expect(await step('code', { error: failure('code-wrong', 'account', 'edit') }), 'the same stage').toBe(0);
    expect(await step('password')).toBe(1);
    expect(await step('password', { pinDigits: 1 }), 'a digit of the password').toBe(0);
    expect(await step('running', { steps: steps('running') })).toBe(1);
    expect(await step('running', { steps: steps('done', 'running') }), 'a step of the card').toBe(0);
    expect(await step('failed', { error: failure('card-lost', 'in-transit', 'resume') })).toBe(1);
    expect(await step('done', { receipt: receipt() })).toBe(1);
    expect(await drawn({ transaction: null, queue: queue('tap') })).toBe(1);
    expect(await drawn({ queue: queue('tap', { tap: tap({ count: 1 }) }) }), 'a card of a list').toBe(1);
    expect(await drawn({ queue: queue('tap', { tap: tap({ count: 1, contact: 'poor' }) }) }), 'the same card').toBe(0);
  });
});
