import { afterEach, describe, expect, it, vi } from 'vitest';

import { all, open, stop, text } from '../testing';
import { cardWhen, foreignZone, stamp, when, whenFirst } from './time';

/** This device's clock is so many minutes ahead of UTC. */
const ahead = (minutes: number): void => { vi.spyOn(Date.prototype, 'getTimezoneOffset').mockReturnValue(-minutes); };
afterEach(() => {
  vi.restoreAllMocks();
  stop();
});

describe('the clock of a person', () => {
  const now = Date.UTC(2026, 10, 23, 12);

  it('is the one of the card’s log as well, which is kept in China’s time', () => {
    expect(cardWhen('2026-11-23T18:06:00', now)).toBe(whenFirst(Date.UTC(2026, 10, 23, 10, 6), now));
    expect(cardWhen('2026-11-23T18:06:00', now), 'begins its line').not.toBe('');
    expect([cardWhen(null, now), cardWhen('2026-99-99T99:99:99', now)]).toEqual([null, null]);
  });

  it('leaves a day without a time the day that the card wrote', () => {
    expect(cardWhen('2026-11-23', now)).toMatch(/2026.*11.*23/);
    expect(cardWhen('2026-11-23', now), 'no time is made up').not.toContain(':');
  });

  it.each([[480, ''], [0, 'UTC'], [60, 'UTC+1'], [330, 'UTC+5:30'], [-210, 'UTC−3:30']])('that is %i minutes ahead is named %j', (minutes, name) => {
    ahead(minutes);
    expect(foreignZone(now)).toBe(name);
    expect(stamp(now).endsWith(`:00${name && ` ${name}`}`), 'on a receipt').toBe(true);
    expect(when(now, now), 'in lists it goes without saying').not.toContain('UTC');
  });

  it('is named beside the card’s log where it is another than the card’s', async () => {
    ahead(480);
    await open('balance');
    expect(all('log-clock')).toEqual([]);
    stop();
    ahead(60);
    await open('balance');
    expect(text('log-clock')).toContain('UTC+1');
    expect(text('log-clock')).toContain('UTC+8');
  });
});
