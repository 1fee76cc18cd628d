/** Where a card is held: on a USB reader, or to the back of the phone. */
export const device: 'reader' | 'phone' = /Android|iPhone|iPad/.test(navigator.userAgent) ? 'phone' : 'reader';

export type System = 'linux' | 'windows' | 'macos' | 'android' | 'ios';

/** The system that this runs on. An iPad calls itself a Mac, and no Mac takes several fingers. */
export function systemOf(agent: string, fingers: number): System {
  if (/Android/.test(agent)) return 'android';
  if (/iPhone|iPad/.test(agent) || (/Mac OS X/.test(agent) && fingers > 1)) return 'ios';
  if (/Mac OS X/.test(agent)) return 'macos';
  return /Windows/.test(agent) ? 'windows' : 'linux';
}

export const system = systemOf(navigator.userAgent, navigator.maxTouchPoints);

/** True where the web view's own print dialog opens, which also saves as PDF. On macOS Tauri wants a permission for it; phones have none. */
export const prints = device === 'reader' && !/Mac OS X/.test(navigator.userAgent);

/** True where the system has a sheet for sharing. WebKitGTK has none. */
export const shares = (): boolean => typeof navigator.share === 'function';

/** Copies text; false when the system refuses. */
export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text: string): boolean {
  const area = document.createElement('textarea');
  area.value = text;
  area.style.position = 'fixed';
  area.style.top = '-100vh';
  document.body.append(area);
  area.select();
  try {
    return document.execCommand('copy');
  } catch {
    return false;
  } finally {
    area.remove();
  }
}
