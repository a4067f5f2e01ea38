import { type Broker, MillraceError, UNSETTLED } from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { expect, test, vi } from "vitest";
import { createClient } from "./client.ts";
import { jobHandle } from "./jobs/job-handle.ts";

const QUEUE = "mail";

async function scene(broker: (clock: SimulatedClock) => MemoryBroker = memory) {
  const clock = new SimulatedClock();
  const made = broker(clock);
  await made.queues.ensure(QUEUE);
  const client = createClient(made, clock);
  return { clock, broker: made, client };
}

const memory = (clock: SimulatedClock): MemoryBroker => new MemoryBroker({ clock });

/** What became of a call so far. */
function outcome(call: Promise<unknown>): { now(): unknown } {
  let seen: unknown = "waits";
  call.then(
    (value) => (seen = value),
    (error: unknown) => (seen = MillraceError.is(error) ? error.code : error),
  );
  return { now: () => seen };
}

const envelopeOf = (id: string) => ({
  ...UNSETTLED,
  ...{ id, queue: QUEUE, name: "n", payload: 1, headers: {}, createdAt: 0 },
});

test("the result and the progress of a job that nobody knows are refused after five seconds", async () => {
  const { clock, client } = await scene();
  const handle = client.handle("nobody", QUEUE);
  const calls = [
    outcome(handle.result()),
    outcome(handle.progress()[Symbol.asyncIterator]().next()),
  ];
  await clock.advance("4s");
  expect(calls.map((call) => call.now())).toEqual(["waits", "waits"]);
  await clock.advance("2s");
  expect(calls.map((call) => call.now())).toEqual(["job-not-found", "job-not-found"]);
});

test("a job that may come later is waited for as long as is said", async () => {
  const { clock, broker, client } = await scene();
  const late = outcome(client.handle("late", QUEUE).result({ appearsWithin: "1h" }));
  const never = outcome(client.handle("never", QUEUE).result({ appearsWithin: "1h" }));
  await clock.advance("59m");
  await broker.enqueue([envelopeOf("late")]);
  await clock.advance("2h");
  expect([late.now(), never.now()]).toEqual(["waits", "job-not-found"]);
});

test("a job that waits is waited for without an end, and looked for once", async () => {
  const { clock, broker, client } = await scene();
  await broker.enqueue([envelopeOf("known")]);
  const look = vi.spyOn(broker, "findWaiting");
  const result = outcome(client.handle("known", QUEUE).result());
  await clock.advance("1h");
  expect(result.now()).toBe("waits");
  expect(look).toHaveBeenCalledTimes(1);
});

test("an outage is not taken for a job that nobody knows", async () => {
  const { clock, broker, client } = await scene();
  const result = outcome(client.handle("late", QUEUE).result());
  await clock.advance("1s");
  broker.disconnect();
  await clock.advance("1h");
  broker.reconnect();
  await clock.advance("4s");
  expect(result.now()).toBe("waits");
  await clock.advance("3s");
  expect(result.now()).toBe("job-not-found");
});

test("who may not look for jobs waits as before", async () => {
  class Closed extends MemoryBroker {
    override findWaiting: Broker["findWaiting"] = () =>
      Promise.reject(new MillraceError("permission-denied", "no"));
  }
  const { clock, client } = await scene((own) => new Closed({ clock: own }));
  const result = outcome(client.handle("nobody", QUEUE).result());
  await clock.advance("1h");
  expect(result.now()).toBe("waits");
});

test("one search of a queue at a time, however many wait", async () => {
  let [searching, most] = [0, 0];
  class Slow extends MemoryBroker {
    override findWaiting: Broker["findWaiting"] = async () => {
      searching += 1;
      most = Math.max(most, searching);
      await new Promise<void>((resolve) => void clock.setTimer(100, resolve));
      searching -= 1;
      return undefined;
    };
  }
  const { clock, client } = await scene((own) => new Slow({ clock: own }));
  const all = Array.from({ length: 5 }, (_, n) => outcome(client.handle(`j${n}`, QUEUE).result()));
  await clock.advance("10s");
  expect(all.map((one) => one.now())).toEqual(all.map(() => "job-not-found"));
  expect(most).toBe(1);
});

test("the holder of a unique key that was never stored is refused too", async () => {
  const { clock, broker } = await scene();
  const handle = jobHandle(broker, clock, {
    ...{ id: "of-a-dead-producer", queue: QUEUE, duplicate: true },
    conflict: { kind: "kept", key: "k" },
  });
  const result = outcome(handle.result());
  await clock.advance("10s");
  expect(result.now()).toBe("job-not-found");
});
