import { MillraceError } from "@millrace/core";
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

/** A journal whose first write is refused, and which reads this then. */
function journal(sequence: number) {
  vi.spyOn(StreamOnce.prototype, "ensure").mockResolvedValue(undefined);
  const found = { sequence, data: DATA, isRemoval: false, storedAt: 1 };
  vi.spyOn(LeaderReads.prototype, "last").mockResolvedValue(found);
  const nc = { status: () => [], subscribe: () => ({ closed: Promise.resolve() }) };
  const server = { nc: nc as unknown as NatsConnection, names: new Names("m") };
  const publish = vi
    .fn()
    .mockRejectedValueOnce(new MillraceError("conflict", "Someone else was first."))
    .mockResolvedValue({ sequence: 9 });
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
