import { expect, test } from "vitest";
import { readEntry, writeEntry } from "./journal-entry.ts";
import { readSignal, writeSignal } from "./signal.ts";

const nested = (depth: number): unknown => (depth === 0 ? 1 : { a: nested(depth - 1) });
const own = {
  ...{ name: "n".repeat(128), n: 999, at: 1_764_400_000_000.125, life: 9, version: 2 ** 50 },
  kind: "wait",
  state: "signalled",
  mark: `${2 ** 53 - 1}/${2 ** 53 - 1}`,
  signalId: "i".repeat(512),
} as const;

test.each([
  ["as large as it may be", "x".repeat(256 * 1024 - 2 * 1024 - 5)],
  ["as deep as it may be", nested(62)],
])("a signal %s can be recorded by the step that takes it", (_name, value) => {
  const { data, contentType } = writeSignal(value, "id-1");
  const sent = readSignal({ data, ...(contentType === undefined ? {} : { contentType }) });
  expect(readEntry(writeEntry({ ...own, value: sent }))).toBeDefined();
});

test("a server that takes less has a signal refused that its step could not record", () => {
  const maxBytes = 65_000;
  const most = "x".repeat(maxBytes - 2 * 1024 - 3);
  const { data } = writeSignal(most, "id-1", maxBytes);
  expect(writeEntry({ ...own, value: most }, maxBytes).length).toBeGreaterThan(data.length);
  expect(() => writeSignal(`${most}x`, "id-1", maxBytes)).toThrow(
    expect.objectContaining({ code: "payload-too-large" }),
  );
});

test.each([
  ["larger", "x".repeat(256 * 1024 - 2 * 1024), "payload-too-large"],
  ["deeper", nested(63), "unserializable-payload"],
])("one that is %s is refused", (_name, value, code) => {
  expect(() => writeSignal(value, "id-1")).toThrow(expect.objectContaining({ code }));
});
