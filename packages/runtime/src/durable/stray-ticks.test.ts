import { expect, test } from "vitest";
import { document, hosted, NOW } from "./hosted-machine.fixture.ts";

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

test("once: a tick that was asked for again breeds no other where it comes too late", async () => {
  const host = await hosted({ ...waiting, timers });
  await host.tick(mark({ rev: 3 }), 3);
  host.time.now = at;
  await host.tick(mark({ rev: 5 }), 4);
  expect(await host.stored()).toMatchObject({ rev: 6, timers: {}, tickRev: 6 });
  await host.tick(host.ticks[0]?.data ?? expect.unreachable(), 5);
  await host.tick(mark({ run: "of another life", rev: 3 }), 6);
  expect(host.ticks).toHaveLength(1);
});
