import { expect, test } from "vitest";
import { parseHeaders } from "./read-headers.ts";

/** Read line by line to its end for each line, this took minutes. */
const LINES = 1_000_000;
const MOST_MS = 5_000;

test.each([
  ["of one byte a letter", "a"],
  ["of two", "ä€"],
])("lines without a colon, %s, take time by their length", (_says, line) => {
  const block = `NATS/1.0\r\n${`${line}\r\n`.repeat(LINES)}last: 1\r\n\r\n`;
  const startedAt = performance.now();
  expect(parseHeaders(block)).toEqual({ last: "1" });
  expect(performance.now() - startedAt).toBeLessThan(MOST_MS);
});

test("a colon counts for its own line alone", () => {
  expect(
    parseHeaders("NATS/1.0\r\nno colon\r\na: 1\r\n: 2\r\nb:3\r\nnone\r\nc: d: e\r\n\r\n"),
  ).toEqual({ a: "1", b: "3", c: "d: e" });
});
