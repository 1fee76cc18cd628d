/**
 * The words of failures, found by a name made at run time (`code.card-lost.title`). There are many and the first
 * screen needs none, so they are fetched after it is drawn. A test proves that every code has them.
 */
let words = $state.raw<Record<string, unknown>>({});

export async function loadFailureWords(): Promise<void> {
  words = await import('../paraglide/messages/_index.js');
}

export function failureWord(key: string, params: Record<string, string> = {}): string {
  const found = words[key];
  return typeof found === 'function' ? String(found(params)) : '';
}
