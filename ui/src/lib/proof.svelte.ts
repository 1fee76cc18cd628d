import type { ReceiptView } from './bindings/ReceiptView';
import { yuan } from './money';
import { m } from './paraglide/messages.js';
import { squares } from './qr';
import type { Proof } from './ticket';
import { stamp } from './time';

type Squares = readonly (readonly boolean[])[];

/** The way to the bank's page that checks a receipt, as a code to be scanned; without rows where there is none. To be called while a component is made. */
export function proofOf(receipt: () => ReceiptView, page: () => string): { readonly rows: Squares; readonly url: string; readonly picture: Proof } {
  let rows = $state.raw<Squares>([]);
  const url = $derived.by(() => {
    const { proof } = receipt();
    return proof === null ? '' : page() + proof;
  });
  $effect(() => {
    if (url !== '') void squares(url).then((drawn) => { rows = drawn; });
  });
  // Cut out of the picture, the code still says what it is of.
  const picture = $derived.by(() => {
    const { amount, reference, timeMs } = receipt();
    return { rows, note: m['receipt.proof'](), caption: [amount === null ? null : `¥${yuan(amount)}`, reference, stamp(timeMs)].filter((text) => text !== null) };
  });
  return { get rows() { return rows; }, get url() { return url; }, get picture() { return picture; } };
}
