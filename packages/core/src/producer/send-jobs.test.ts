import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import type { Broker } from "../broker/broker.ts";
import { withOwn } from "../broker/with-own.ts";
import { UNSETTLED } from "../envelope/envelope.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import type { PreparedJob } from "./prepare-job.ts";
import { sendJobs } from "./send-jobs.ts";

const clock = new SimulatedClock();
const FULL = new MillraceError("queue-full", "no room");

function unique(id: string): PreparedJob {
  const of = { id, name: "n", queue: "mail", payload: null, createdAt: 1, headers: {} };
  return {
    envelope: { ...UNSETTLED, ...of },
    unique: { key: "k", while: "running", onConflict: "keep" },
  };
}

async function mail(): Promise<MemoryBroker> {
  const broker = new MemoryBroker();
  await broker.queues.ensure("mail");
  return broker;
}

test("a job that the queue refuses gives its key back", async () => {
  const broker = await mail();
  broker.failNext("enqueue", FULL);
  expect(await sendJobs(broker, [unique("a")], clock)).toMatchObject([{ ok: false, error: FULL }]);
  expect(await sendJobs(broker, [unique("b")], clock)).toMatchObject([{ ok: true, id: "b" }]);
});

test("one that is sent again does not: its first message may be stored, and the claim is that one's", async () => {
  const broker = await mail();
  const error = new MillraceError("publish-timeout", "no answer");
  const unheard = withOwn<Broker>(broker, {
    enqueue: async (jobs, call) =>
      (await broker.enqueue(jobs, call)).map(({ queue }) => ({ ok: false, id: "a", queue, error })),
  });
  expect(await sendJobs(unheard, [unique("a")], clock)).toMatchObject([{ ok: false, error }]);
  broker.failNext("enqueue", FULL);
  expect(await sendJobs(broker, [unique("a")], clock)).toMatchObject([{ ok: false, error: FULL }]);
  expect(await sendJobs(broker, [unique("b")], clock)).toMatchObject([
    { ok: true, id: "a", conflict: { kind: "kept" } },
  ]);
});
