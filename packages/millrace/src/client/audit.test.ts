import { MillraceError } from "@millrace/core";
import { createMask } from "@millrace/telemetry/masking";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test, vi } from "vitest";
import {
  AUDIT_BUCKET,
  AUDIT_KEPT_MS,
  audited,
  auditOf,
  type AuditRecord,
  listAudit,
  recordAudit,
} from "./audit.ts";

function scene() {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  onTestFinished(() => broker.close());
  return { clock, broker, host: { broker, mask: createMask({ patterns: [/DE\d+/] }) } };
}

test("who, when, what, which and how many are kept, newest first, and found by action and time", async () => {
  const { broker, clock } = scene();
  const purge = { action: "queues purge", filter: { queue: "mail" }, by: "ada", reason: "flood" };
  const first = await recordAudit(broker, purge, { count: 7 });
  await clock.advance("1s");
  await recordAudit(broker, { action: "dead edit", filter: { id: "a" } }, { count: 0, failed: 1 });
  const [edit, purged] = await listAudit(broker);
  expect(edit).toMatchObject({
    action: "dead edit",
    at: clock.now(),
    outcome: { state: "done", count: 0, failed: 1 },
  });
  expect(edit?.by).toMatch(/./);
  expect(purged).toEqual({
    ...purge,
    id: first.id,
    at: clock.now() - 1_000,
    outcome: { state: "done", count: 7, failed: 0 },
  });
  expect(await listAudit(broker, { action: "queues" })).toEqual([purged]);
  expect(await listAudit(broker, { since: clock.now() })).toEqual([edit]);
  expect(await listAudit(broker, { limit: 1 })).toEqual([edit]);
});

test("a bulk change is on record while it is under way, and with its count or its error afterwards", async () => {
  const { broker, clock, host } = scene();
  const outcome = async (): Promise<AuditRecord["outcome"] | undefined> =>
    (await listAudit(broker))[0]?.outcome;
  const result = await audited(
    host,
    { action: "dead retry", filter: { all: true, ids: ["a", "b"] } },
    async () => {
      expect(await outcome()).toEqual({ state: "begun" });
      return [1, 2, 3];
    },
    (all) => ({ count: all.length }),
  );
  expect(result).toEqual([1, 2, 3]);
  expect(await outcome()).toEqual({ state: "done", count: 3, failed: 0 });
  await clock.advance("1s");
  const refused = audited(
    host,
    { action: "dead discard", filter: {} },
    () => Promise.reject(new MillraceError("queue-not-found", "No such queue.")),
    () => ({ count: 0 }),
  );
  await expect(refused).rejects.toMatchObject({ code: "queue-not-found" });
  expect(await outcome()).toEqual({
    state: "failed",
    code: "queue-not-found",
    message: "No such queue.",
  });
});

test("what was done is not told as failed where its record can't be completed", async () => {
  const { broker, host } = scene();
  const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  onTestFinished(() => warned.mockRestore());
  const store = await broker.documents(AUDIT_BUCKET);
  const noAnswer = new MillraceError("request-timeout", "no answer");
  vi.spyOn(broker, "documents").mockResolvedValue(store);
  const sent = audited(
    host,
    { action: "machines send", filter: { id: "o-17" } },
    async () => {
      vi.spyOn(store, "put").mockRejectedValue(noAnswer);
      return "sent";
    },
    () => ({ count: 1 }),
  );
  expect(await sent).toBe("sent");
  expect(await listAudit(broker)).toMatchObject([{ outcome: { state: "begun" } }]);
  expect(warned).toHaveBeenCalledWith(expect.stringContaining("machines send"), "MillraceWarning");
});

test("a failure is told as it is where its record can't be completed", async () => {
  const { broker, host } = scene();
  const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  onTestFinished(() => warned.mockRestore());
  const store = await broker.documents(AUDIT_BUCKET);
  vi.spyOn(broker, "documents").mockResolvedValue(store);
  const refused = audited(
    host,
    { action: "machines send", filter: {} },
    async () => {
      vi.spyOn(store, "put").mockRejectedValue(new MillraceError("request-timeout", "no answer"));
      throw new MillraceError("machine-not-found", "No such machine.");
    },
    () => ({ count: 1 }),
  );
  await expect(refused).rejects.toMatchObject({ code: "machine-not-found" });
});

test("where nothing can be recorded nothing is done", async () => {
  const { broker, host } = scene();
  await broker.close();
  let done = false;
  await expect(
    audited(
      host,
      { action: "dead retry", filter: {} },
      async () => void (done = true),
      () => ({ count: 1 }),
    ),
  ).rejects.toMatchObject({ code: "connection-closed" });
  expect(done).toBe(false);
});

test("old records go, and what is no record is not shown", async () => {
  const { broker, clock } = scene();
  await recordAudit(broker, { action: "old", filter: {} }, { count: 1 });
  await clock.advance(AUDIT_KEPT_MS + 1);
  const store = await broker.documents(AUDIT_BUCKET);
  await store.put("foreign", { action: 7 });
  for (let n = 0; n < 98; n += 1)
    await recordAudit(broker, { action: "new", filter: { n } }, { count: 1 });
  expect((await listAudit(broker, { limit: 1_000 })).map(({ action }) => action)).toEqual(
    Array.from({ length: 98 }, () => "new"),
  );
  expect(await store.get("foreign")).toBeDefined();
});

test("a tool of one's own leaves a record of what it does, under the name of who asked for it", async () => {
  const { host } = scene();
  const audit = auditOf(host);
  const intent = { action: "queues pause", filter: { queue: "mail" }, by: "ada" };
  expect(await audit.perform(intent, async () => "paused")).toBe("paused");
  await expect(
    audit.perform({ ...intent, by: "bob" }, () =>
      Promise.reject(new MillraceError("queue-not-found", "no")),
    ),
  ).rejects.toMatchObject({ code: "queue-not-found" });
  const outcomes = (await audit.list()).map(({ by, outcome }) => ({ by, ...outcome }));
  expect(outcomes).toHaveLength(2);
  expect(outcomes).toContainEqual({ by: "ada", state: "done", count: 1, failed: 0 });
  expect(outcomes).toContainEqual({
    by: "bob",
    state: "failed",
    code: "queue-not-found",
    message: "no",
  });
});

test("the error of what failed is kept without what the client's own mask hides", async () => {
  const { host } = scene();
  const { list, perform } = auditOf(host);
  const failed = perform({ action: "pay", filter: {} }, async () => {
    throw new Error("DE0212 is blocked, token=abc");
  });
  await expect(failed).rejects.toThrow("DE0212");
  expect(await list()).toMatchObject([{ outcome: { message: "*** is blocked, token=***" } }]);
});
