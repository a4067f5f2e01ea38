// Pictures of pages, compared by what a person sees: not by the pixel, which the machine draws.
import { PNG } from "pngjs";

/** Edges of letters differ from machine to machine; their mean over so many pixels does not. */
const BLOCK = 8;
/** Of 255, by which a block's colour may be off. */
const TOLERANCE = 14;

/** Each block of a screenshot as one pixel. */
export function averaged(screenshot: Buffer): PNG {
  const from = PNG.sync.read(screenshot);
  const to = new PNG({
    width: Math.floor(from.width / BLOCK),
    height: Math.floor(from.height / BLOCK),
  });
  for (let y = 0; y < to.height; y += 1)
    for (let x = 0; x < to.width; x += 1)
      for (let channel = 0; channel < 4; channel += 1)
        to.data[(y * to.width + x) * 4 + channel] = mean(from, x, y, channel);
  return to;
}

function mean({ data, width }: PNG, blockX: number, blockY: number, channel: number): number {
  let sum = 0;
  for (let y = blockY * BLOCK; y < (blockY + 1) * BLOCK; y += 1)
    for (let x = blockX * BLOCK; x < (blockX + 1) * BLOCK; x += 1)
      sum += data[(y * width + x) * 4 + channel] ?? 0;
  return Math.round(sum / BLOCK ** 2);
}

/**
 * How many blocks have other colours; infinitely many where the sizes differ. No share: on a page
 * that is four screens high a badge is as large as on another one.
 */
export function difference(one: PNG, other: PNG): number {
  if (one.width !== other.width || one.height !== other.height) return Number.POSITIVE_INFINITY;
  let off = 0;
  for (let at = 0; at < one.data.length; at += 4)
    if ([0, 1, 2].some((channel) => isOff(one.data[at + channel], other.data[at + channel])))
      off += 1;
  return off;
}

function isOff(one = 0, other = 0): boolean {
  return Math.abs(one - other) > TOLERANCE;
}
