import type { DiagnosticPart } from '../../lib/bindings/DiagnosticPart';
import type { DiagnosticView } from '../../lib/bindings/DiagnosticView';
import { device } from '../../lib/device';
import { m } from '../../lib/paraglide/messages.js';
import { span } from '../../lib/time';

/** The parts as they belong together, from the card to the bank. */
export const GROUPS: readonly { name: () => string; parts: readonly DiagnosticPart[] }[] = [
  { name: m['settings.group-card'], parts: ['service', 'reader', 'other-programs'] },
  { name: m['settings.group-device'], parts: ['keystore', 'packages', 'clock'] },
  { name: m['settings.group-bank'], parts: ['dns', 'proxy', 'tls', 'security-server', 'transaction-server'] },
];

const NAMES: Record<DiagnosticPart, () => string> = {
  reader: m['settings.part-reader'], service: m['settings.part-service'], 'other-programs': m['settings.part-other-programs'],
  keystore: m['settings.part-keystore'], packages: m['settings.part-packages'], clock: m['settings.part-clock'],
  dns: m['settings.part-dns'], proxy: m['settings.part-proxy'], tls: m['settings.part-tls'],
  'security-server': m['settings.part-security-server'], 'transaction-server': m['settings.part-transaction-server'],
};

/** A phone has no service for readers: what can be switched off there is NFC. */
export function partName(part: DiagnosticPart): string {
  return part === 'service' && device === 'phone' ? m['settings.part-service-phone']() : NAMES[part]();
}

/** The particulars that came with a part. */
export function detailOf({ part, state, params }: DiagnosticView): string {
  const { host, proxy, industry, off_s } = params;
  if (off_s) {
    const time = span(Math.abs(Number(off_s)) * 1000);
    return Number(off_s) > 0 ? m['settings.detail-ahead']({ time }) : m['settings.detail-behind']({ time });
  }
  if (proxy) return m['settings.detail-proxy']({ proxy });
  if (part === 'proxy' && state === 'ok') return m['settings.detail-no-proxy']();
  if (industry) return m['settings.detail-industry']({ industry });
  return host ? m['settings.detail-host']({ host }) : '';
}
