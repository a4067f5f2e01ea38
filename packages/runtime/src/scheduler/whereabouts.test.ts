import { type Broker, scheduleDefinition, tickJob, type WaitingJob } from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { whereabouts } from "./whereabouts.ts";

const nightly = scheduleDefinition({
  ...{ name: "nightly", cron: "0 * * * *", job: "report", queue: "reports", payload: {} },
});
const copy = (token: number, state: WaitingJob["state"]): WaitingJob => ({
  ...{ envelope: tickJob(nightly, 0, token, 0), state, storedAt: 1 },
});

/** One that shows what waits elsewhere first, as every broker does. */
function brokerWith(found: readonly (readonly WaitingJob[])[], runs = false) {
  const clock = new SimulatedClock();
  const { history } = new MemoryBroker({ clock, server: new MemoryServer(clock) });
  const rounds = found.values();
  let round: readonly WaitingJob[] = [];
  const findWaiting: Broker["findWaiting"] = async (_id, { enqueuedBefore } = {}) => {
    if (enqueuedBefore === undefined) round = rounds.next().value ?? [];
    return round.find(({ state }) => enqueuedBefore === undefined || state === "queued");
  };
  const running = { node: "n", leadership: 5 } as unknown as NonNullable<
    Awaited<ReturnType<Broker["whoRuns"]>>
  >;
  return { history, findWaiting, whoRuns: async () => (runs ? running : undefined) };
}

const JOB = { id: copy(1, "queued").envelope.id, queue: "reports" };

test.each<[what: string, found: WaitingJob[][], by: number | undefined, runs?: boolean]>([
  ["one in the queue", [[copy(5, "queued")]], 5],
  ["one that waits for a decision", [[copy(5, "delayed")]], 5],
  // By the lesser one's word the greater one's job would be dropped, or both would run.
  ["a late one that waits beside one in the queue", [[copy(5, "delayed"), copy(6, "queued")]], 6],
  ["a newer one that waits beside one in the queue", [[copy(6, "delayed"), copy(5, "queued")]], 6],
  ["one that ran, and was sent to wait meanwhile", [[], [copy(5, "delayed")]], 5, true],
  ["one that runs and is seen in no queue", [[], []], undefined, true],
])("whose job is there: %s", async (_what, found, by, runs) => {
  expect(await whereabouts(brokerWith(found, runs), JOB)).toEqual({ is: "going", by });
});
