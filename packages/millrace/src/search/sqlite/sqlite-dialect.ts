import { type Dialect, LEAF_CHARACTERS, threesOf } from "../narrow.ts";

const AT = "key in (select job from leaf where path = ?";

export const SQLITE: Dialect = {
  sameLetters: (column, value) => ({ sql: `${column} = ? collate nocase`, values: [value] }),
  hasWord: (part) => ({
    sql: "key in (select rowid from word where word match ?)",
    values: [
      threesOf(part)
        .map((three) => `"${three.replaceAll('"', '""')}"`)
        .join(" AND "),
    ],
  }),
  hasLetters: (part) => ({ sql: "instr(words, ?) > 0", values: [part] }),
  hasPath: (path) => ({ sql: `${AT})`, values: [path] }),
  hasLeaf: (path, value) => ({ sql: `${AT} and value = ?)`, values: [path, value] }),
  hasNumber(path, isAbove, limit) {
    // SQLite may read the last digit of a number otherwise than JavaScript does.
    const slack = Number.isFinite(limit) ? Math.abs(limit) * 1e-9 : 0;
    const isCut = `length(value) = ${LEAF_CHARACTERS}`;
    return {
      sql: `${AT} and (${isCut} or cast(value as real) ${isAbove ? ">=" : "<="} ?))`,
      values: [path, limit + (isAbove ? -slack : slack)],
    };
  },
  failedOf: (fingerprint) => ({
    sql: "key in (select job from failing where fingerprint = ?)",
    values: [fingerprint],
  }),
};
