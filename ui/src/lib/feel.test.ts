import { afterEach, describe, expect, it, vi } from 'vitest';

import { steps, transaction } from './backend/scenes';
import { queue, tap } from './backend/scenes-queue';
import { beatOf, feel, tapBeat } from './feel';
import { learn, secondsAtCard } from './pace';

afterEach(() => vi.unstubAllGlobals());

describe('a sign at a list', () => {
  const list = (patch: Parameters<typeof tap>[0] | null) => queue('tap', { tap: patch && tap(patch) });
  const running = list({ state: 'running', item: 2, step: 'read' });

  it('tells each card apart: found, loaded, there before, stopped', () => {
    expect(tapBeat(list(null), list({ count: 1 }))).toBe('touch');
    expect(tapBeat(list({ count: 1, state: 'loaded' }), list({ count: 2 }))).toBe('touch');
    expect(tapBeat(list({}), running)).toBeNull();
    expect(tapBeat(running, list({ state: 'running', item: 2, step: 'write' }))).toBe('step');
    expect(tapBeat(running, list({ state: 'loaded', item: 2 }))).toBe('done');
    expect(tapBeat(list({}), list({ state: 'ticked', item: 2 }))).toBe('poor');
    expect(tapBeat(list({}), list({ state: 'stopped' }))).toBe('stop');
  });

  it('is given once, and not when a list is only opened', () => {
    const loaded = list({ state: 'loaded', item: 2 });
    expect([tapBeat(loaded, loaded), tapBeat(null, loaded), tapBeat(loaded, null)]).toEqual([null, null, null]);
  });
});

describe('a sign at the card', () => {
  const at = (...states: Parameters<typeof steps>) => transaction('topup', { stage: 'running', steps: steps(...states) });
  const waiting = transaction('topup', { steps: steps('waiting', 'waiting', 'waiting', 'waiting') });

  it('is given for each phase, once', () => {
    const read = at('running', 'waiting', 'waiting', 'waiting');
    const approve = at('done', 'running', 'waiting', 'waiting');
    expect([beatOf(waiting, read), beatOf(read, read), beatOf(read, approve)]).toEqual(['touch', null, 'step']);
    expect(beatOf(approve, transaction('topup', { stage: 'done' }))).toBe('done');
    expect(beatOf(approve, transaction('topup', { stage: 'failed' }))).toBe('stop');
    expect(beatOf(read, { ...read, contact: 'poor' }), 'the card lies badly').toBe('poor');
  });

  it('is not given for what is typed, nor for a result that was there before', () => {
    const phone = transaction('topup', { stage: 'phone' });
    expect(beatOf(phone, transaction('topup', { stage: 'code' }))).toBeNull();
    expect(beatOf(transaction('topup', { stage: 'password' }), transaction('topup', { stage: 'failed' }))).toBeNull();
    expect(beatOf(null, transaction('topup', { stage: 'done' })), 'a screen opened again').toBeNull();
    expect(beatOf(waiting, null)).toBeNull();
  });

  it('is felt without sound, and heard where it is wanted', () => {
    const vibrate = vi.fn();
    const made = vi.fn();
    vi.stubGlobal('navigator', { vibrate });
    vi.stubGlobal('AudioContext', class { constructor() { made(); throw new Error('no output'); } });
    feel('done', false);
    expect([vibrate.mock.calls.length, made.mock.calls.length]).toEqual([1, 0]);
    feel('done', true);
    expect(made, 'a device without an output harms nothing').toHaveBeenCalledOnce();
  });
});

describe('the time that the card is needed', () => {
  it('counts down over the steps and is over once the card is written', () => {
    expect(secondsAtCard(steps('running', 'waiting', 'waiting', 'waiting'), 0)).toBe(2);
    expect(secondsAtCard(steps('done', 'done', 'running', 'waiting'), 100)).toBe(1);
    expect(secondsAtCard(steps('done', 'done', 'done', 'running'), 0)).toBeNull();
  });

  it('is not promised when a step takes far longer than it does', () => {
    expect(secondsAtCard(steps('done', 'running', 'waiting', 'waiting'), 60_000)).toBeNull();
  });

  it('is learned from what it was', () => {
    for (let i = 0; i < 8; i += 1) learn([{ name: 'approve', state: 'done', elapsedMs: 4000 }]);
    expect(secondsAtCard(steps('done', 'running', 'waiting', 'waiting'), 0)).toBe(5);
  });
});
