import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { afterDrawing } from './drawing';

describe('work after the first picture', () => {
  let frames: FrameRequestCallback[] = [];
  const draw = (): void => {
    for (const frame of frames.splice(0)) frame(0);
  };

  beforeEach(() => {
    vi.useFakeTimers();
    frames = [];
    vi.spyOn(window, 'requestAnimationFrame').mockImplementation((frame) => frames.push(frame));
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('waits for the picture and not for more', () => {
    const work = vi.fn();
    afterDrawing(work);
    vi.advanceTimersByTime(100);
    expect(work).not.toHaveBeenCalled();
    draw();
    expect(work).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(work).toHaveBeenCalledOnce();
  });

  it('is done in a window that nobody sees, and once when it is seen at last', () => {
    const work = vi.fn();
    afterDrawing(work);
    vi.advanceTimersByTime(1_000);
    expect(work).toHaveBeenCalledOnce();
    draw();
    vi.advanceTimersByTime(1_000);
    expect(work).toHaveBeenCalledOnce();
  });
});
