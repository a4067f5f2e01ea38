import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { startChild } from "../../harness/child.ts";
import { cleanUpLater } from "../../harness/cleanup.ts";
import { LedgerWriter, readLedger } from "./ledger-file.ts";

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), "millrace-ledger-"));
  cleanUpLater(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

it("puts the pages of several processes in the order of time", () => {
  const path = directory();
  const [a, b] = [new LedgerWriter(path, "a"), new LedgerWriter(path, "b", { durable: true })];
  a.write({ event: "attempted", id: "1" });
  b.write({ event: "started", id: "1", attempt: 1, token: 1 });
  a.write({ event: "confirmed", id: "1", duplicate: false });
  for (const writer of [a, b]) writer.close();
  expect(readLedger(path).map(({ event, process }) => [event, process])).toEqual([
    ["attempted", "a"],
    ["started", "b"],
    ["confirmed", "a"],
  ]);
});

it("has every line of a writer that killed itself right after, on the same clock", async () => {
  const path = directory();
  const here = new LedgerWriter(path, "here");
  here.write({ event: "attempted", id: "before" });
  const child = startChild(join(import.meta.dirname, "writing-program.ts"), { args: [path] });
  await expect(child.exit(90_000)).resolves.toEqual({ code: null, signal: "SIGKILL" });
  here.write({ event: "attempted", id: "after" });
  here.close();
  expect(readLedger(path).map(({ id }) => id)).toEqual(["before", "0", "1", "2", "after"]);
});

it("refuses a torn line", () => {
  const path = directory();
  appendFileSync(join(path, "x.ledger.jsonl"), '{"event":"attempted","id"');
  expect(() => readLedger(path)).toThrow("torn line");
});
