import { expect, test } from "vitest";
import { DEFAULT_MAX_DELAY_MS, tooFarAhead } from "./body-limits.ts";
import { encodeMsgpack } from "./body.ts";
import { messageOf } from "./message.fixture.ts";
import { readEnvelope } from "./read-envelope.ts";

const NOW = 1_700_000_000_500;
const LAST = NOW + DEFAULT_MAX_DELAY_MS;

test("a start may lie so far ahead, and no farther", () => {
  expect(tooFarAhead(undefined, NOW, DEFAULT_MAX_DELAY_MS)).toBeUndefined();
  expect(tooFarAhead(LAST, NOW, DEFAULT_MAX_DELAY_MS)).toBeUndefined();
  expect(tooFarAhead(LAST + 1, NOW, DEFAULT_MAX_DELAY_MS)).toContain("366d ahead");
});

test("a producer's job that starts too far ahead is no job; what a node moved there is", () => {
  const read = (notBefore: number, origin: "producer" | "runtime"): unknown => {
    const body = encodeMsgpack({ name: "a", payload: 1, id: "j", notBefore });
    const result = readEnvelope(messageOf(body, { origin }), undefined, DEFAULT_MAX_DELAY_MS);
    return result.ok ? result.envelope.notBefore : [result.reason, result.id];
  };
  expect(read(LAST, "producer")).toBe(LAST);
  expect(read(LAST + 1, "producer")).toEqual(["invalid-envelope", "j"]);
  expect(read(LAST + 1, "runtime")).toBe(LAST + 1);
});
