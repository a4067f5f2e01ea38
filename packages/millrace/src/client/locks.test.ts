import { defineJob } from "@millrace/core";
import { expect, test } from "vitest";
import { createTestRuntime } from "../testing/test-runtime.ts";

const invoice = defineJob<{ readonly tenant: string }>({
  ...{ name: "invoice.send", queue: "invoices" },
  concurrency: { key: ({ tenant }) => tenant, limit: 1 },
});
const report = defineJob({ name: "report", queue: "reports", singleton: true });

test("gates say who waits for what, and who has it; a lock is released of its holder only", async () => {
  const end = Promise.withResolvers<void>();
  await using t = await createTestRuntime({
    jobs: [invoice.handler(() => end.promise), report.handler(() => end.promise)],
  });
  for (const id of ["a-1", "a-2", "a-3"]) await t.enqueue(invoice, { tenant: "ann" }, { id });
  for (const id of ["r-1", "r-2"]) await t.enqueue(report, undefined, { id });
  await t.clock.advance("1s");
  const { locks } = t.client;
  const held = await locks.list();
  const permit = held.find(({ name }) => name.startsWith("cap/invoices/"));
  const singleton = held.find(({ name }) => name === "singleton/report");
  expect(await locks.gates()).toEqual([
    {
      ...{ queue: "invoices", gate: "cap/invoices/ann", jobs: 2, held: [permit] },
      next: { id: "a-2", name: "invoice.send", since: expect.any(Number) },
    },
    {
      ...{ queue: "reports", gate: "singleton/report", jobs: 1, held: [singleton] },
      next: { id: "r-2", name: "report", since: expect.any(Number) },
    },
  ]);
  expect(await locks.gates({ queue: "reports" })).toHaveLength(1);
  expect(await locks.gates({ limit: 1 })).toMatchObject([{ queue: "invoices" }]);
  expect(await locks.list({ prefix: "singleton/" })).toEqual([singleton]);
  expect(await locks.release("singleton/report", { holder: "somebody else" })).toBeUndefined();
  expect(await locks.list({ prefix: "singleton/" })).toHaveLength(1);
  expect(await locks.release("singleton/report")).toMatchObject({ holder: singleton?.holder });
  expect(await locks.release("user/nobody")).toBeUndefined();
  end.resolve();
  await t.drain();
  expect(await locks.gates()).toEqual([]);
});
