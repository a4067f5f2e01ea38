import {
  type Clock,
  defineJob,
  DisciplinedClock,
  type Logger,
  MillraceError,
} from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { QUEUE, simulatedNode } from "../fixtures/simulated-node.ts";
import { openClockWatch } from "./clock-watch.ts";

const TEN_MINUTES = 600_000;

/** A machine whose wall clock is off and can be set. */
function machineOn(clock: SimulatedClock, offMs: number): Clock & { set(ms: number): void } {
  let off = offMs;
  return {
    now: () => clock.now() + off,
    monotonic: () => clock.monotonic(),
    setTimer: (delayMs, fire) => clock.setTimer(delayMs, fire),
    set: (ms) => void (off += ms),
  };
}

function heardLog(): { readonly log: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const quiet = (): void => {};
  const say = (_: object, text: string): void => void lines.push(text);
  const log: Logger = { debug: quiet, info: say, warn: say, error: say, child: () => log };
  return { log, lines };
}

const flaky = defineJob({
  name: "flaky",
  queue: QUEUE,
  retry: { attempts: 2, backoff: "fixed", base: "1m", jitter: 0 },
});

test.each([TEN_MINUTES, -TEN_MINUTES])(
  "a node whose machine is off by %i ms stamps records and retries by the server's clock",
  async (offMs) => {
    const clock = new SimulatedClock();
    const runs: number[] = [];
    const handler = flaky.handler(() => {
      runs.push(clock.now());
      if (runs.length === 1) throw new Error("once");
      return "done";
    });
    const scene = await simulatedNode({
      clock,
      nodeClock: machineOn(clock, offMs),
      jobs: [handler],
    });
    const start = clock.now();
    await scene.enqueue("flaky");
    await clock.advance("2m");
    expect(runs.map((at) => at - start)).toEqual([0, 60_000]);
    const times = (await scene.history()).map(({ at, startedAt = NaN }) => [
      at - start,
      startedAt - start,
    ]);
    expect(times).toEqual([
      [0, 0],
      [60_000, 60_000],
    ]);
  },
);

test("a machine that is set while its node runs changes nothing that is stamped", async () => {
  const clock = new SimulatedClock();
  const machine = machineOn(clock, 0);
  const job = defineJob({ name: "flaky", queue: QUEUE }).handler(() => 1);
  const scene = await simulatedNode({ clock, nodeClock: machine, jobs: [job] });
  for (const [index, ms] of [TEN_MINUTES, -2 * TEN_MINUTES, TEN_MINUTES].entries()) {
    machine.set(ms);
    const at = clock.now();
    await scene.enqueue("flaky", null, { id: `j${index}` });
    expect(await scene.history(`j${index}`)).toMatchObject([{ at, startedAt: at }]);
    await clock.advance("1m");
  }
});

test("a server that does not tell its time is warned of once, asked on, and followed when it does", async () => {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const told = broker.serverNow.bind(broker);
  broker.serverNow = () =>
    Promise.reject(new MillraceError("permission-denied", "This user may not ask."));
  const { log, lines } = heardLog();
  const stamps = new DisciplinedClock(machineOn(clock, TEN_MINUTES));
  const watch = await openClockWatch({ broker, clock: stamps, log, random: () => 0.5 });
  await clock.advance("1h");
  expect(lines).toEqual([expect.stringMatching(/^cannot read the server's time/)]);
  expect(stamps.now() - clock.now()).toBe(TEN_MINUTES);
  broker.serverNow = told;
  await clock.advance("10m");
  expect(lines.slice(1)).toEqual([expect.stringMatching(/^this machine's clock is not/)]);
  expect(stamps.now()).toBe(clock.now());
  await watch.stop();
  expect(clock.pending).toBe(0);
});

test("the server is asked again at once when the connection is back", async () => {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const { log, lines } = heardLog();
  const machine = machineOn(clock, 0);
  const stamps = new DisciplinedClock(machine);
  const watch = await openClockWatch({ broker, clock: stamps, log, random: () => 0.5 });
  broker.disconnect();
  machine.set(TEN_MINUTES);
  expect(stamps.now()).toBe(clock.now());
  await clock.advance(0);
  expect(lines).toEqual([]);
  broker.reconnect();
  await clock.advance(0);
  expect(stamps.aheadMs).toBe(TEN_MINUTES);
  expect(lines).toEqual([expect.stringMatching(/^this machine's clock is not/)]);
  await watch.stop();
});
