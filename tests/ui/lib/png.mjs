// The pictures of the page in fewer bytes and not one pixel less. The browser filters each line as for photographs; flat
// areas and letters that come again and again pack better as they are.
import zlib from "node:zlib";

const SIGNATURE = 8;
/** Length, type and checksum around what a chunk holds. */
const AROUND = 12;
/** 8 bits each of red, green and blue, not interlaced: what the driver takes. */
const KIND = Buffer.from([8, 2, 0, 0, 0]);
const PIXEL = 3;

/** The same picture as `png`, packed anew. */
export function packed(png) {
  const { header, width, height, pixels } = unpacked(png);
  const line = width * PIXEL;
  const plain = Buffer.alloc(height * (line + 1));
  for (let y = 0; y < height; y += 1) pixels.copy(plain, y * (line + 1) + 1, y * line, (y + 1) * line);
  const data = zlib.deflateSync(plain, { level: 9, memLevel: 9 });
  return Buffer.concat([png.subarray(0, SIGNATURE), chunk("IHDR", header), chunk("IDAT", data), chunk("IEND", Buffer.alloc(0))]);
}

/** `pixels`: red, green and blue of each, line after line. */
export function unpacked(png) {
  const chunks = [...chunksOf(png)];
  const header = chunks.find(({ type }) => type === "IHDR").data;
  if (!header.subarray(8).equals(KIND)) throw new Error(`a picture of another kind: ${header.subarray(8).toString("hex")}`);
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const filtered = zlib.inflateSync(Buffer.concat(chunks.filter(({ type }) => type === "IDAT").map(({ data }) => data)));
  return { header, width, height, pixels: unfiltered(filtered, width * PIXEL, height) };
}

function* chunksOf(png) {
  for (let at = SIGNATURE; at < png.length; ) {
    const length = png.readUInt32BE(at);
    yield { type: png.toString("latin1", at + 4, at + 8), data: png.subarray(at + 8, at + 8 + length) };
    at += AROUND + length;
  }
}

/** Each byte is kept as its distance from a guess by its neighbours, which the first byte of its line names (PNG, 9.2). */
function unfiltered(filtered, line, height) {
  const pixels = Buffer.alloc(line * height);
  for (let y = 0, to = 0, from = 0; y < height; y += 1) {
    const guess = GUESSES[filtered[from++]];
    for (let x = 0; x < line; x += 1, to += 1, from += 1) {
      const left = x < PIXEL ? 0 : pixels[to - PIXEL];
      const above = y === 0 ? 0 : pixels[to - line];
      const corner = x < PIXEL || y === 0 ? 0 : pixels[to - line - PIXEL];
      pixels[to] = filtered[from] + guess(left, above, corner);
    }
  }
  return pixels;
}

const GUESSES = [() => 0, (left) => left, (_, above) => above, (left, above) => (left + above) >> 1, nearest];

function nearest(left, above, corner) {
  const sum = left + above - corner;
  const [toLeft, toAbove, toCorner] = [left, above, corner].map((value) => Math.abs(sum - value));
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}

function chunk(type, data) {
  const named = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(zlib.crc32(named));
  return Buffer.concat([length, named, sum]);
}
