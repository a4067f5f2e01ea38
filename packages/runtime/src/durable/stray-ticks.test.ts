import { expect, test } from "vitest";
import { document, hosted, NOW } from "./hosted-machine.fixture.ts";
import { readTickMark } from "./tick-mark.ts";

const at = NOW + 60_000;
const waiting = { ...document, rev: 5, tickRev: 5, tickAt: at };
const timers = { week: { at, event: { type: "GROW" } } };
const mark = (fields: object) => Buffer.from(JSON.stringify({ run: "r", ...fields }));

test("a tick of an earlier document may have taken the place of the one that is awaited: that is asked for again", async () => {
  const host = await hosted({ ...waiting, timers });
  await host.tick(mark({ rev: 3 }), 3);
  expect(host.ticks.map((tick) => tick.at)).toEqual([at]);
  const asked = host.ticks[0]?.data ?? expect.unreachable();
  expect(JSON.parse(Buffer.from(asked).toString())).toMatchObject({ run: "r", rev: 5 });
  expect(await host.stored()).toMatchObject({ rev: 5 });
});

test("so may one that was asked for again for an earlier document", async () => {
  const host = await hosted({ ...waiting, timers });
  // As a node of an older version marks it.
  await host.tick(mark({ rev: 3, again: true }), 3);
  expect(host.ticks.map((tick) => tick.at)).toEqual([at]);
});

test("not without end: where both come, a tick that was asked for again would breed another each time", async () => {
  const host = await hosted({ ...waiting, timers });
  await host.tick(mark({ rev: 3 }), 3);
  for (let next = 0; next < host.ticks.length && next < 10; next += 1) {
    const asked = readTickMark(host.ticks[next]?.data ?? expect.unreachable());
    await host.tick(mark({ ...asked, rev: 4 }), 4 + next);
  }
  expect(host.ticks).toHaveLength(3);
});

test("none is asked for where the timer was heard, or the tick is of another life", async () => {
  const host = await hosted({ ...waiting, timers });
  await host.tick(mark({ rev: 3 }), 3);
  host.time.now = at;
  await host.tick(mark({ rev: 5 }), 4);
  expect(await host.stored()).toMatchObject({ rev: 6, timers: {}, tickRev: 6 });
  await host.tick(host.ticks[0]?.data ?? expect.unreachable(), 5);
  await host.tick(mark({ run: "of another life", rev: 3 }), 6);
  expect(host.ticks).toHaveLength(1);
});

test("an event that is passed over is no tick, whatever its sender has written into it", async () => {
  const host = await hosted({ ...waiting, timers, cursor: 9 });
  await host.take("GROW", 8, { again: true, times: 7 });
  const asked = host.ticks[0]?.data ?? expect.unreachable();
  expect(readTickMark(asked)).toMatchObject({ rev: 5, times: 1 });
});
