import { describe, expect, it } from 'vitest';

import { Back } from './back';

function made(): { back: Back; steps: string[] } {
  const steps: string[] = [];
  const back = new Back({ pushState: () => steps.push('push'), back: () => steps.push('back') });
  return { back, steps };
}

describe('the back gesture', () => {
  it('has one step to take, however many screens were opened', () => {
    const { back, steps } = made();
    for (const away of [false, true, true, true]) back.follow(away);
    expect(steps).toEqual(['push']);
    expect(back.popped(), 'a person went back').toBe(true);
    expect(back.popped(), 'and now the app is left').toBe(false);
  });

  it('takes its step out again when home was reached in another way, and is not taken for a person', () => {
    const { back, steps } = made();
    back.follow(true);
    back.follow(false);
    expect(steps).toEqual(['push', 'back']);
    expect(back.popped()).toBe(false);
    back.follow(true);
    expect(back.popped(), 'the next one is a person again').toBe(true);
  });

  it('comes back when the screen could not be left', () => {
    const { back, steps } = made();
    back.follow(true);
    back.popped();
    back.follow(true);
    expect(steps).toEqual(['push', 'push']);
  });
});
