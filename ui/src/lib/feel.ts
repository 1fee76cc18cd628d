import type { StepName } from './bindings/StepName';
import type { QueueView } from './bindings/QueueView';
import type { TransactionView } from './bindings/TransactionView';

/** What a transaction at the card is told by besides the screen: a tone and, where the device can, a shake. */
export type Beat = 'touch' | 'step' | 'poor' | 'done' | 'stop';

/** Pitch in Hz and length in ms, one after the other: rising for what goes well, falling for a stop. */
const TONES: Record<Beat, readonly (readonly [hz: number, ms: number])[]> = {
  touch: [[880, 70]],
  step: [[988, 50]],
  poor: [[330, 90], [294, 90]],
  done: [[784, 90], [988, 90], [1319, 180]],
  stop: [[392, 160], [262, 240]],
};
const SHAKES: Record<Beat, number[]> = { touch: [30], step: [15], poor: [20, 60, 20], done: [40, 60, 120], stop: [200, 80, 200] };
const LOUDNESS = 0.12;
/** A tone that begins or ends at once is heard as a click. */
const EDGE_S = 0.012;

const running = (transaction: TransactionView): StepName | null => transaction.steps.find((step) => step.state === 'running')?.name ?? null;

/** What two views, one after the other, are worth a sign of; null: nothing happened at the card. */
export function beatOf(before: TransactionView | null, after: TransactionView | null): Beat | null {
  if (!after || before?.id !== after.id) return null;
  const atCard = before.stage === 'running' || before.stage === 'wait-card';
  if (after.stage === 'done') return atCard ? 'done' : null;
  if (after.stage === 'failed') return atCard ? 'stop' : null;
  if (after.contact === 'poor' && before.contact !== 'poor') return 'poor';
  const step = running(after);
  if (after.stage !== 'running' || step === null || step === running(before)) return null;
  return step === 'read' ? 'touch' : 'step';
}

/** The same for the cards of a list: each is told by itself, whoever does not look at the screen hears which way it went. */
export function tapBeat(before: QueueView | null, after: QueueView | null): Beat | null {
  const tap = after?.tap ?? null;
  if (!tap || before?.id !== after?.id) return null;
  const last = before?.tap ?? null;
  if (last?.count !== tap.count && tap.state === 'reading') return 'touch';
  if (last?.count === tap.count && last.state === tap.state) {
    if (tap.contact === 'poor' && last.contact !== 'poor') return 'poor';
    return tap.step !== null && tap.step !== last.step ? 'step' : null;
  }
  return ({ reading: null, running: null, loaded: 'done', ticked: 'poor', stopped: 'stop' } as const)[tap.state];
}

let audio: AudioContext | null = null;

/** A web view lets a page make sound only after a touch or a key: called from there, and not before it is needed. */
export function prime(sound: boolean): void {
  if (!sound || audio || typeof AudioContext === 'undefined') return;
  try {
    audio = new AudioContext();
  } catch {
    audio = null;
  }
}

export function feel(beat: Beat, sound: boolean): void {
  if (typeof navigator.vibrate === 'function') navigator.vibrate(SHAKES[beat]);
  if (!sound || typeof AudioContext === 'undefined') return;
  try {
    audio ??= new AudioContext();
    void audio.resume();
    play(audio, TONES[beat]);
  } catch {
    // a device without an output for sound: the screen says it all
    audio = null;
  }
}

function play(context: AudioContext, tones: (typeof TONES)[Beat]): void {
  let at = context.currentTime + EDGE_S;
  for (const [hz, ms] of tones) {
    const [voice, volume] = [context.createOscillator(), context.createGain()];
    const end = at + ms / 1000;
    voice.frequency.value = hz;
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(LOUDNESS, at + EDGE_S);
    volume.gain.setValueAtTime(LOUDNESS, end - EDGE_S);
    volume.gain.linearRampToValueAtTime(0, end);
    voice.connect(volume).connect(context.destination);
    voice.start(at);
    voice.stop(end);
    at = end;
  }
}
