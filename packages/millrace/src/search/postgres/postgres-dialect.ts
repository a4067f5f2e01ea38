import { storable } from "@millrace/core";
import { type Dialect, threesOf } from "../narrow.ts";
import { causeMark, leafMark, pathMark, threesIn } from "./postgres-marks.ts";

const MARKED = "marks @> ?::bigint[]";

/** A list as PostgreSQL writes it. */
function listOf(numbers: readonly (string | number)[]): string {
  return `{${numbers.join(",")}}`;
}

function marked(mark: string) {
  return { sql: MARKED, values: [listOf([mark])] };
}

export const POSTGRES: Dialect = {
  sameLetters: (column, value) => ({
    sql: `lower(${column}) = lower(?::text collate "C")`,
    values: [storable(value)],
  }),
  hasWord: (part) => ({
    sql: "threes @> ?::integer[]",
    values: [listOf(threesOf(part).flatMap((three) => threesIn(three)))],
  }),
  hasLetters: (part) => ({ sql: "strpos(words, ?) > 0", values: [storable(part)] }),
  hasPath: (path) => marked(pathMark(path)),
  hasLeaf: (path, value) => marked(leafMark(path, value)),
  hasNumber: (path) => marked(pathMark(path)),
  failedOf: (fingerprint) => marked(causeMark(fingerprint)),
};
