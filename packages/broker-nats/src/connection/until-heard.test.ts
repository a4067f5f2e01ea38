import { SimulatedClock } from "@millrace/testkit";
import { type NatsConnection, NoRespondersError, TimeoutError } from "@nats-io/nats-core";
import { expect, test, vi } from "vitest";
import { setMachine, systemMachine } from "../machine/machine.ts";
import { untilHeard } from "./until-heard.ts";

const TIME = { doing: "take the lock a", timeoutMs: 1_000 };

function connection(cluster: string | undefined) {
  const clock = new SimulatedClock();
  const nc = { info: { cluster } } as unknown as NatsConnection;
  setMachine(nc, { ...systemMachine, clock });
  return { nc, clock };
}

test("a write of a cluster that nobody hears is made again, with what is left of its time", async () => {
  const { nc, clock } = connection("c");
  const write = vi.fn(async (leftMs: number) => {
    if (write.mock.calls.length < 3) throw new NoRespondersError("$KV.locks.a");
    return leftMs;
  });
  const written = untilHeard(nc, TIME, write);
  await clock.advance("100ms");
  expect(await written).toBe(900);
  expect(write).toHaveBeenCalledTimes(3);
});

test("one that nobody hears in time says that there is no leader", async () => {
  const { nc, clock } = connection("c");
  const write = vi.fn(async () => {
    throw new NoRespondersError("$KV.locks.a");
  });
  const refused = expect(untilHeard(nc, TIME, write)).rejects.toMatchObject({
    code: "broker-unavailable",
    message: expect.stringMatching(/^Could not take the lock a: .* no leader .* Try again\.$/),
  });
  await clock.advance("1s");
  await refused;
  expect(write).toHaveBeenCalledTimes(20);
});

test.each([
  ["is not answered", "c", new TimeoutError()],
  ["goes to no cluster", undefined, new NoRespondersError("$KV.locks.a")],
])("one that %s is made once", async (_what, cluster, error) => {
  const { nc } = connection(cluster);
  const write = vi.fn(async () => {
    throw error;
  });
  await expect(untilHeard(nc, TIME, write)).rejects.toBe(error);
  expect(write).toHaveBeenCalledOnce();
});
