import { type ErrorCode, MillraceError } from "@millrace/core";
import type { NatsConnection } from "@nats-io/nats-core";
import { afterEach, expect, test, vi } from "vitest";
import type { ConfirmedPublisher } from "../publish/confirmed-publisher.ts";
import { LeaderReads } from "../reads/leader-reads.ts";
import { StreamOnce } from "../topology/stream-once.ts";
import { Names } from "../topology/subjects.ts";
import { NatsJournal } from "./journal.ts";
import type { ServerAccess } from "./server-access.ts";

const RUN = { queue: "orders", id: "o-1", createdAt: 1 };
const STEP = { name: "call", n: 0 };
const DATA = Uint8Array.of(1);

afterEach(() => vi.restoreAllMocks());

/** A journal whose first writes are refused, and which reads this then. */
function journal(sequence: number, ...refusals: readonly ErrorCode[]) {
  vi.spyOn(StreamOnce.prototype, "ensure").mockResolvedValue(undefined);
  const found = { sequence, data: DATA, isRemoval: false, storedAt: 1 };
  vi.spyOn(LeaderReads.prototype, "last").mockResolvedValue(found);
  const nc = { status: () => [], subscribe: () => ({ closed: Promise.resolve() }) };
  const server = { nc: nc as unknown as NatsConnection, names: new Names("m") };
  const publish = vi.fn().mockResolvedValue({ sequence: 9 });
  for (const code of refusals.length === 0 ? (["conflict"] as const) : refusals)
    publish.mockRejectedValueOnce(new MillraceError(code, "Someone else was first."));
  return new NatsJournal({
    server: server as unknown as ServerAccess,
    publisher: { publish } as unknown as ConfirmedPublisher,
    replicas: 3,
  });
}

test("what another has recorded since is what is on record", async () => {
  expect(await journal(8).write(RUN, STEP, DATA, { expected: 7 })).toMatchObject({ revision: 8 });
});

test("what was recorded before is shown by a leader that was replaced: it is written again", async () => {
  expect(await journal(6).write(RUN, STEP, DATA, { expected: 7 })).toMatchObject({ revision: 9 });
});

test("where its stream was removed, it is made once more, and the step is recorded there", async () => {
  const forget = vi.spyOn(StreamOnce.prototype, "forget");
  const written = journal(0, "queue-not-found").write(RUN, STEP, DATA);
  expect(await written).toMatchObject({ revision: 9 });
  expect(forget).toHaveBeenCalledOnce();
  expect(StreamOnce.prototype.ensure).toHaveBeenCalledTimes(2);
});

test("which is not tried for ever", async () => {
  const removed = Array.from({ length: 4 }, () => "queue-not-found" as const);
  const written = journal(0, ...removed).write(RUN, STEP, DATA);
  await expect(written).rejects.toMatchObject({ code: "queue-not-found" });
});
