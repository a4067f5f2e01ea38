import type { Envelope } from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test } from "vitest";
import { IndexFollower } from "./index-follower.ts";
import { IndexThread } from "./index-thread.ts";

/** Less than can be held, and more than half of it. */
const MANY = 15_000;

test("what is heard while a long history is read is written meanwhile, and not dropped", async () => {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock, server: new MemoryServer(clock) });
  const thread = await IndexThread.start("");
  onTestFinished(() => thread.end());
  let listener: (envelope: Envelope) => void = () => {};
  broker.arrivals.hear = (given) => {
    listener = given;
    return Promise.resolve({ stop: () => Promise.resolve() });
  };
  let told = 0;
  const stretches = [1, 2, 3];
  broker.history.stretch = () => {
    const until = stretches.shift() ?? 3;
    for (let n = 0; n < MANY && until < 3; n += 1)
      listener({
        ...{ id: `j-${told++}`, name: "mail.send", queue: "mail", payload: { n }, createdAt: 1 },
        ...{ headers: {}, attempts: 0, crashes: 0, interruptions: 0, snoozes: 0, generation: 0 },
      });
    return Promise.resolve({ oldest: 1, newest: 3, until, records: [] });
  };
  const follower = new IndexFollower({
    ...{ broker, clock, thread, identity: "", keepMs: 86_400_000, maxBytes: 2 ** 30 },
    show: (value) => value,
  });
  await follower.open();
  await follower.hear(() => {});
  await follower.round();
  expect(told).toBe(2 * MANY);
  expect(follower.progress).toMatchObject({ position: 3, unheard: 0 });
});
