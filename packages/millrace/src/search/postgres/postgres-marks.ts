import { hash } from "node:crypto";
import type { Leaf } from "../../filter/seen-payload.ts";
import { causesOfRow, leafRows, type NewRow } from "../index-rows.ts";

/** Between the parts of what is marked; no path has it. */
const END = "\0";

/**
 * Numbers by which a job is found: of each path of its payload, of each path with its value, and of
 * each cause. Two things that share a number are told apart by the filter. A whole path may be too
 * long for an index.
 */
export function marksOf(row: NewRow, leaves: readonly Leaf[]): readonly string[] {
  const marks = new Set<string>();
  for (const [path, value] of leafRows(leaves)) {
    marks.add(pathMark(path));
    marks.add(leafMark(path, value));
  }
  for (const fingerprint of causesOfRow(row)) marks.add(causeMark(fingerprint));
  return [...marks];
}

export function pathMark(path: string): string {
  return markOf(`path${END}${path}`);
}

export function leafMark(path: string, value: string): string {
  return markOf(`leaf${END}${path}${END}${value}`);
}

export function causeMark(fingerprint: string): string {
  return markOf(`cause${END}${fingerprint}`);
}

/** @returns a `bigint` of PostgreSQL, which has a sign */
function markOf(text: string): string {
  return Buffer.from(hash("sha1", text, "hex").slice(0, 16), "hex")
    .readBigInt64BE()
    .toString();
}

/** All that are of printable ASCII: no others are looked for. Each is a number of its own. */
export function threesIn(words: string): readonly number[] {
  const threes = new Set<number>();
  for (let at = 0; at + 3 <= words.length; at += 1) {
    const three = threeAt(words, at);
    if (three !== undefined) threes.add(three);
  }
  return [...threes];
}

/** @returns undefined where a letter is none of ASCII's */
function threeAt(words: string, at: number): number | undefined {
  let three = 0;
  for (let letter = at; letter < at + 3; letter += 1) {
    const code = words.charCodeAt(letter);
    if (code < 0x20 || code > 0x7e) return undefined;
    three = (three << 7) | code;
  }
  return three;
}
