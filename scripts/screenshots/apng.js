// Animated PNG (PNG specification, third edition, 11.3.6) from PNG screenshots: each frame holds only the rectangle that
// differs from the one before.
import * as zlib from 'node:zlib';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** Makes one of frames `{ png, ms }` of equal size, 8 bits per channel, RGB or RGBA, not interlaced. It loops. */
export function encodeApng(frames) {
  const pictures = frames.map(({ png }) => decode(png));
  const [{ width, height }] = pictures;
  let sequence = 0;
  const chunks = pictures.flatMap((picture, at) => {
    const part = at === 0 ? { x: 0, y: 0, width, height } : difference(pictures[at - 1], picture);
    const control = Buffer.alloc(26);
    control.writeUInt32BE(sequence++, 0);
    control.writeUInt32BE(part.width, 4);
    control.writeUInt32BE(part.height, 8);
    control.writeUInt32BE(part.x, 12);
    control.writeUInt32BE(part.y, 16);
    control.writeUInt16BE(frames[at].ms, 20);
    control.writeUInt16BE(1000, 22);
    const data = compress(picture, part);
    if (at === 0) return [chunk('fcTL', control), chunk('IDAT', data)];
    const number = Buffer.alloc(4);
    number.writeUInt32BE(sequence++);
    return [chunk('fcTL', control), chunk('fdAT', Buffer.concat([number, data]))];
  });
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const animation = Buffer.alloc(8);
  animation.writeUInt32BE(frames.length, 0);
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('acTL', animation),
    ...chunks,
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(zlib.crc32?.(body) ?? crcOf(body));
  return Buffer.concat([length, body, check]);
}

/** As in the PNG specification, annex D: Node has one of its own from 22.2 on. */
function crcOf(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** The pixels of a PNG, three bytes each. */
function decode(png) {
  const parts = [];
  let [width, height, channels] = [0, 0, 0];
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const type = png.toString('latin1', at + 4, at + 8);
    const data = png.subarray(at + 8, at + 8 + length);
    if (type === 'IHDR') {
      [width, height] = [data.readUInt32BE(0), data.readUInt32BE(4)];
      channels = { 2: 3, 6: 4 }[data[9]];
      if (data[8] !== 8 || !channels || data[12] !== 0) throw new Error('a picture of another kind');
    }
    if (type === 'IDAT') parts.push(data);
    at += length + 12;
  }
  const raw = unfilter(zlib.inflateSync(Buffer.concat(parts)), width * channels, height, channels);
  if (channels === 3) return { width, height, pixels: raw };
  const pixels = Buffer.alloc(width * height * 3);
  for (let pixel = 0; pixel < width * height; pixel++) raw.copy(pixels, 3 * pixel, 4 * pixel, 4 * pixel + 3);
  return { width, height, pixels };
}

function unfilter(filtered, bytes, height, step) {
  const out = Buffer.alloc(bytes * height);
  for (let y = 0; y < height; y++) {
    const kind = filtered[y * (bytes + 1)];
    for (let x = 0; x < bytes; x++) {
      const left = x >= step ? out[y * bytes + x - step] : 0;
      const up = y > 0 ? out[(y - 1) * bytes + x] : 0;
      const corner = x >= step && y > 0 ? out[(y - 1) * bytes + x - step] : 0;
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][kind];
      out[y * bytes + x] = filtered[y * (bytes + 1) + 1 + x] + guess;
    }
  }
  return out;
}

function paeth(left, up, corner) {
  const guess = left + up - corner;
  const [a, b, c] = [left, up, corner].map((one) => Math.abs(guess - one));
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

/** The smallest rectangle that has all differences; one pixel if there are none. */
function difference(before, now) {
  let [left, top, right, bottom] = [now.width, now.height, -1, -1];
  for (let y = 0; y < now.height; y++) {
    for (let x = 0; x < now.width; x++) {
      const at = 3 * (y * now.width + x);
      if (before.pixels.compare(now.pixels, at, at + 3, at, at + 3) === 0) continue;
      [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), y];
    }
  }
  if (right < 0) return { x: 0, y: 0, width: 1, height: 1 };
  return { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
}

/** Each line as its difference from the one above: screens have much that repeats downwards. */
function compress({ width, pixels }, part) {
  const bytes = 3 * part.width;
  const lines = Buffer.alloc((bytes + 1) * part.height);
  for (let y = 0; y < part.height; y++) {
    const from = 3 * ((part.y + y) * width + part.x);
    lines[y * (bytes + 1)] = y === 0 ? 0 : 2;
    for (let x = 0; x < bytes; x++)
      lines[y * (bytes + 1) + 1 + x] = pixels[from + x] - (y === 0 ? 0 : pixels[from + x - 3 * width]);
  }
  return zlib.deflateSync(lines, { level: 9 });
}
