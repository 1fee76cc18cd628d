import type { StepName } from './bindings/StepName';
import type { StepView } from './bindings/StepView';

/** How long each step took here lately, ms: at first what it takes with a bank nearby. */
const usual: Record<StepName, number> = { read: 400, approve: 700, write: 500, confirm: 400 };
/** The card has done its part when it is written. */
const AT_CARD: readonly StepName[] = ['read', 'approve', 'write'];

/** Takes the times of finished steps to heart, the newest as much as all before it. */
export function learn(steps: readonly StepView[]): void {
  for (const { name, state, elapsedMs } of steps) {
    if (state === 'done' && elapsedMs !== null) usual[name] = (usual[name] + elapsedMs) / 2;
  }
}

/** How many seconds this step usually takes here, whole and at least one. */
export function usualSeconds(step: StepName): number {
  return Math.max(1, Math.ceil(usual[step] / 1000));
}

/** How many seconds the card is still needed, whole and at least one; null when it is not, or nobody can tell. */
export function secondsAtCard(steps: readonly StepView[], runningMs: number): number | null {
  const left = steps.filter(({ name, state }) => AT_CARD.includes(name) && (state === 'running' || state === 'waiting'));
  if (left.length === 0) return null;
  const spent = left[0]?.state === 'running' ? Math.max(runningMs, left[0].elapsedMs ?? 0) : 0;
  // A step far over its time says nothing of when it ends.
  if (left[0] && spent > 3 * usual[left[0].name]) return null;
  const ms = left.reduce((sum, { name }) => sum + usual[name], 0) - spent;
  return Math.max(1, Math.ceil(ms / 1000));
}
