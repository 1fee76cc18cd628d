import type { ReaderKind } from './bindings/ReaderKind';
import { device } from './device';
import { remedyOf } from './errors';
import { m } from './paraglide/messages.js';

/** What is missing where no card can be held to anything, and what to do about it on this system. */
export function missingReader(reader: ReaderKind): [string, string] | null {
  if (reader === 'empty' || reader === 'card') return null;
  if (device === 'phone') {
    return reader === 'none'
      ? [m['reader.guide-none-phone'](), m['reader.guide-none-phone-more']()]
      : [m['reader.guide-service-down-phone'](), m['reader.guide-service-down-phone-more']()];
  }
  if (reader === 'none') return [m['reader.guide-none'](), m['reader.guide-none-more']()];
  // The words of failures come a moment after the first screen.
  if (reader === 'service-hung') return [m['reader.guide-service-hung'](), remedyOf('service-hung') || m['reader.guide-service-hung-more']()];
  return [m['reader.guide-service-down'](), remedyOf('service-down') || m['reader.guide-service-down-more']()];
}
