/** The squares of a QR code, row by row; true is dark. The encoder comes only when a receipt is there to be shown. */
export async function squares(text: string): Promise<readonly (readonly boolean[])[]> {
  const { encode } = await import('uqr');
  return encode(text, { ecc: 'L', border: 0 }).data;
}

/** The dark squares as the outline of an SVG path, one unit each. */
export function outline(rows: readonly (readonly boolean[])[]): string {
  return rows.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ''))).join('');
}
