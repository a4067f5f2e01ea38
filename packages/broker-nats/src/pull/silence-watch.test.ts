import { SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test } from "vitest";
import { SilenceWatch } from "./silence-watch.ts";

/** Of a lane that is rarely heard of. */
const HEARTBEAT_MS = 7_500;
const SHORT_MS = 1_250;

/** A puller that asks anew whenever it is told of silence, as often as that is. */
function puller(overAfterMs: number) {
  const clock = new SimulatedClock();
  let dueAtMs: number | undefined;
  const silentAtMs: number[] = [];
  const ask = () => {
    dueAtMs = clock.monotonic() + overAfterMs;
    watch.asked(overAfterMs, true);
  };
  const startMs = clock.monotonic();
  const watch = new SilenceWatch({
    ...{ clock, heartbeatMs: HEARTBEAT_MS, dueAtMs: () => dueAtMs },
    onSilence: () => {
      silentAtMs.push(clock.monotonic() - startMs);
      watch.stop();
      watch.start();
      ask();
    },
  });
  watch.start();
  onTestFinished(() => watch.stop());
  return {
    ...{ clock, watch, silentAtMs, ask },
    served: () => {
      dueAtMs = undefined;
      watch.broken();
    },
  };
}

test("a short pull whose end is not announced is lost, however rare heartbeats are", async () => {
  const { clock, silentAtMs, ask } = puller(SHORT_MS);
  ask();
  await clock.advance("1499ms");
  expect(silentAtMs).toEqual([]);
  await clock.advance("1ms");
  expect(silentAtMs).toEqual([1_500]);
});

test("a server that stays silent is asked ever more rarely, and not more rarely than it has leaders", async () => {
  const { clock, silentAtMs, ask } = puller(SHORT_MS);
  ask();
  for (let second = 1; second <= 60; second += 1) await clock.advance("1s");
  const waits = silentAtMs.map((atMs, at) => atMs - (silentAtMs[at - 1] ?? 0));
  expect(waits.slice(0, 6)).toEqual([1_500, 2_500, 3_500, 5_500, 5_500, 5_500]);
});

test("a server that was heard has the least patience again", async () => {
  const { clock, silentAtMs, ask, served } = puller(SHORT_MS);
  ask();
  await clock.advance("4s");
  served();
  ask();
  await clock.advance("1500ms");
  expect(silentAtMs).toEqual([1_500, 4_000, 5_500]);
});

test("pulls that are served one after the other are no silence, and what is idle is none", async () => {
  const { clock, silentAtMs, ask, served } = puller(SHORT_MS);
  for (let times = 0; times < 50; times += 1) {
    ask();
    await clock.advance("200ms");
    served();
  }
  await clock.advance("60s");
  expect(silentAtMs).toEqual([]);
});

test("what is read just after the end was due is no silence: the event loop may have stood still", async () => {
  const { clock, silentAtMs, ask, served } = puller(SHORT_MS);
  ask();
  await clock.advance("1300ms");
  served();
  await clock.advance("60s");
  expect(silentAtMs).toEqual([]);
});

test("a long pull is judged by its heartbeats", async () => {
  const { clock, silentAtMs, ask, watch } = puller(37_500);
  ask();
  for (let times = 0; times < 10; times += 1) {
    await clock.advance("7s");
    watch.broken();
  }
  await clock.advance("18s");
  expect(silentAtMs).toEqual([]);
  await clock.advance("5s");
  expect(silentAtMs).toHaveLength(1);
});
