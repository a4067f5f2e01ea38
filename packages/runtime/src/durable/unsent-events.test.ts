import { expect, test } from "vitest";
import { document, hosted, NOW, sent } from "./hosted-machine.fixture.ts";

test("a node with another version of the chart sends nothing of what is kept", async () => {
  const kept = { events: [sent("open", 0)], at: NOW };
  const host = await hosted({ ...document, version: 2, unsent: kept });
  await expect(host.take("OTHER")).rejects.toMatchObject({ code: "machine-mismatch" });
  expect(host.accepted).toEqual([]);
});

test("where as much is kept as may, an event that sends waits, and what was accepted is sent once", async () => {
  const full = Array.from({ length: 1_000 }, (_, n) => sent("full", n + 1));
  const kept = { events: [sent("open", 0), ...full], at: NOW };
  const host = await hosted({ ...document, unsent: kept });
  for (let times = 0; times < 3; times += 1)
    await expect(host.take("TELL")).rejects.toMatchObject({ code: "queue-full" });
  expect(host.accepted).toEqual([sent("open", 0).id]);
  expect(host.refused).toEqual([sent("full", 1).id]);
  const stored = await host.stored();
  expect(stored).toMatchObject({ rev: 2, cursor: 0, unsent: { events: full } });
  expect(stored?.trouble).toBeUndefined();
  // What sends nothing is taken.
  await host.take("OTHER");
  expect(await host.stored()).toMatchObject({ rev: 3, cursor: 7, unsent: { events: full } });
});

test("a machine that has to wait for room is not read at each look of what waits", async () => {
  const full = Array.from({ length: 1_000 }, (_, n) => sent("full", n));
  const host = await hosted({ ...document, unsent: { events: full, at: NOW + 30_000 } });
  const untaken = async (): Promise<number> => {
    await expect(host.take("TELL")).rejects.toMatchObject({ code: "queue-full" });
    return host.looks.count;
  };
  const first = await untaken();
  for (let times = 0; times < 10; times += 1) expect(await untaken()).toBe(first);
  // Another host may have sent some of it meanwhile.
  host.time.now += 1_001;
  expect(await untaken()).toBe(first);
  expect(await untaken()).toBe(first + 1);
});

test("what was accepted is not sent again because a later event could not be sent", async () => {
  const events = [sent("open", 0), sent("down", 1), sent("open", 2)];
  const host = await hosted({ ...document, unsent: { events, at: NOW } });
  await host.take("OTHER", 1);
  expect(host.accepted).toEqual([events[0]?.id]);
  expect((await host.stored())?.unsent?.events).toEqual(events.slice(1));
  host.looks.isDown = false;
  host.time.now += 30_000;
  await host.take("OTHER", 2);
  expect(host.accepted).toEqual(events.map(({ id }) => id));
  expect(await host.stored()).toMatchObject({ cursor: 2, rev: 5 });
  expect((await host.stored())?.unsent).toBeUndefined();
});

test("where none could be sent, what waits is given back as it is", async () => {
  const host = await hosted({ ...document, unsent: { events: [sent("down", 0)], at: NOW } });
  await expect(host.take("OTHER")).rejects.toMatchObject({ code: "publish-timeout" });
  expect(await host.stored()).toMatchObject({ rev: 1, cursor: 0 });
});

test("a timer fires by the next tick where its own is over a minute late and finds kept events", async () => {
  const timer = { at: NOW - 61_000, event: { type: "TELL" } };
  const kept = { events: [sent("open", 0)], at: NOW - 61_000 };
  const late = { tickAt: NOW - 61_000, timers: { week: timer }, unsent: kept };
  const host = await hosted({ ...document, ...late });
  const mark = (rev: number) => Buffer.from(JSON.stringify({ run: "r", rev }));
  await host.tick(mark(1), 3);
  // The kept event was stored as sent before the timer was looked at, with a tick that is due.
  expect(host.accepted).toEqual([sent("open", 0).id]);
  const [next] = host.ticks;
  expect(next?.at).toBeLessThanOrEqual(NOW);
  await host.tick(next?.data ?? mark(0), 4);
  const stored = await host.stored();
  expect(stored?.timers).toEqual({});
  expect(host.accepted).toHaveLength(2);
  await host.tick(mark(1), 3);
  expect(host.accepted).toHaveLength(2);
});

test("what is refused again and again is sent less and less often", async () => {
  const host = await hosted({ ...document, unsent: { events: [sent("full", 0)], at: NOW } });
  const waits: number[] = [];
  for (let sequence = 1; sequence <= 8; sequence += 1) {
    await host.take("OTHER", sequence);
    const { at } = (await host.stored())?.unsent ?? { at: Number.NaN };
    waits.push((at - host.time.now) / 1_000);
    host.time.now = at;
  }
  expect(waits).toEqual([2, 4, 8, 16, 30, 30, 30, 30]);
});
