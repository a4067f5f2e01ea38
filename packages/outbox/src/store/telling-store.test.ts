import { MillraceError } from "@millrace/core";
import { expect, test } from "vitest";
import type { OutboxStore } from "./outbox-store.ts";
import { tellingStore } from "./telling-store.ts";

test.each([
  ["a NUL", "\0".repeat(3_000), String.raw`\u0000`],
  ["a letter", `x${"日".repeat(3_000)}`, String.raw`\u65e5`],
  ["a letter of two units", "😀".repeat(3_000), String.raw`\ud83d\ude00`],
])("what is told is no longer with %s as its number, and none is cut", async (_, text, written) => {
  const told: string[] = [];
  const note = async (_queue: string, trouble = ""): Promise<void> => {
    told.push(trouble);
    if (/[^ -~]/.test(trouble)) throw new MillraceError("outbox-failed", "It has no such letter.");
  };
  await tellingStore({ note } as OutboxStore).note("mail", text);
  const kept = told.at(-1) ?? "";
  expect(kept.replaceAll(written, "")).toBe(text.startsWith("x") ? "x" : "");
  expect(kept.length).toBeGreaterThan(2_000 - written.length);
  for (const one of told) expect(one.length).toBeLessThanOrEqual(2_000);
});
