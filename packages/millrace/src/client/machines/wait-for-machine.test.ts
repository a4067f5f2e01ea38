import { MillraceError, withOwn } from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { createClient } from "../client.ts";

/** A client whose server answers nothing about machines before it is told to. */
function scene() {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const answer = Promise.withResolvers<void>();
  const documents = broker.documents.bind(broker);
  let isOut = false;
  let watches = 0;
  broker.documents = async (bucket) => {
    await answer.promise;
    if (isOut) throw new MillraceError("request-timeout", "no answer");
    const store = await documents(bucket);
    const watch: typeof store.watch = async (...given) => {
      const one = await store.watch(...given);
      watches += 1;
      return {
        stop: async () => {
          watches -= 1;
          await one.stop();
        },
      };
    };
    return withOwn(store, { watch });
  };
  return {
    ...{ clock, broker, answer: answer.resolve, client: createClient(broker, clock) },
    watches: () => watches,
    outage: (is: boolean) => void (isOut = is),
  };
}

/** How a wait stands, which nobody waits for. */
function outcome(wait: Promise<unknown>): { now: unknown } {
  const told: { now: unknown } = { now: "waits" };
  wait.then(
    () => (told.now = "reached"),
    (error: unknown) => (told.now = error),
  );
  return told;
}

test("a wait for a machine ends when the client is closed", async () => {
  const { client, clock, answer, watches } = scene();
  answer();
  const told = outcome(client.machine("m", "x").waitFor(() => true));
  await clock.advance(100);
  expect(watches()).toBe(1);
  await client.close();
  await clock.advance(0);
  expect(told.now).toMatchObject({ code: "connection-closed" });
  await clock.advance("1s");
  expect(watches()).toBe(0);
});

test("a wait for a machine ends in its time, and at its signal, where the server does not answer", async () => {
  const { client, clock, answer, watches } = scene();
  const stop = new AbortController();
  const machine = client.machine("m", "x");
  const timed = outcome(machine.waitFor(() => true, { timeout: "500ms" }));
  const signalled = outcome(machine.waitFor(() => true, { signal: stop.signal }));
  await clock.advance(500);
  expect(timed.now).toMatchObject({ code: "result-timeout" });
  const reason = new Error("the tab was closed");
  stop.abort(reason);
  await clock.advance(0);
  expect(signalled.now).toBe(reason);
  // What is opened after that is let go of.
  answer();
  await clock.advance("1s");
  expect(watches()).toBe(0);
});

test("an outage only delays a wait for a machine", async () => {
  const { client, clock, answer, watches, outage } = scene();
  answer();
  outage(true);
  const told = outcome(client.machine("m", "x").waitFor(() => true, { timeout: "1h" }));
  await clock.advance("10s");
  outage(false);
  await clock.advance("2s");
  expect(told.now).toBe("waits");
  expect(watches()).toBe(1);
});
