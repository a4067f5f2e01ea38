import { changeControls, CONTROLS_BUCKET, defineJob, MillraceError } from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test, vi } from "vitest";
import { createClient } from "../client.ts";

const job = defineJob({ name: "t", queue: "work" });

async function scene() {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const client = createClient(broker, clock);
  onTestFinished(() => client.close());
  await client.queues.ensure("work");
  return { clock, broker, client };
}

test("pause and resume leave their marks, and limits stay beside them", async () => {
  const { client, clock } = await scene();
  const { queues } = client;
  await queues.set("work", { concurrency: 3, rate: { limit: 5, per: "1s" } });
  await queues.pause("work", { reason: "deploy", by: "ada" });
  const paused = { since: clock.now(), reason: "deploy", by: "ada" };
  expect(await queues.snapshot("work")).toMatchObject({ queue: "work", intake: "open", paused });
  expect(await queues.list()).toMatchObject([{ queue: "work", paused }]);
  await queues.set("work", { concurrency: null, perKey: { concurrency: 2 } });
  expect(await queues.resume("work")).toEqual({
    rate: { limit: 5, perMs: 1_000 },
    perKey: { concurrency: 2 },
  });
  expect(await queues.snapshot("work")).not.toHaveProperty("paused");
});

test("how much a queue may park is set, shown and taken back", async () => {
  const { client } = await scene();
  const { queues } = client;
  expect(await queues.set("work", { maxParked: 0 })).toEqual({ maxParked: 0 });
  expect(await queues.snapshot("work")).toMatchObject({ maxParked: 0 });
  expect(await queues.list()).toMatchObject([{ queue: "work", maxParked: 0 }]);
  for (const maxParked of [-1, 0.5, 1e10, Number.NaN])
    await expect(queues.set("work", { maxParked })).rejects.toThrow(/^maxParked/);
  expect(await queues.set("work", { maxParked: null })).toEqual({});
  expect(await queues.snapshot("work")).not.toHaveProperty("maxParked");
});

test("who did it is said without being told", async () => {
  const { client } = await scene();
  const { paused } = await client.queues.pause("work");
  expect(paused?.by).toMatch(/./);
});

test("a queue that is not there, or a value that makes no sense, is refused and nothing is set", async () => {
  const { client } = await scene();
  const { queues } = client;
  await expect(queues.pause("wrok")).rejects.toMatchObject({ code: "queue-not-found" });
  await expect(queues.drain("wrok")).rejects.toMatchObject({ code: "queue-not-found" });
  await expect(queues.set("work", { concurrency: 0 })).rejects.toThrow(/concurrency/);
  await expect(queues.set("work", { rate: { limit: 1, per: "soon" as "1s" } })).rejects.toThrow(
    /^rate\.per/,
  );
  await expect(queues.set("work", { perKey: { rate: { limit: 0, per: "1s" } } })).rejects.toThrow(
    /perKey\.rate/,
  );
  expect(await queues.controls("work")).toEqual({});
});

test("a drain waits for what is due, refuses producers and says who closed the queue", async () => {
  const { client, clock } = await scene();
  const draining = client.queues.drain("work", { by: "ada", reason: "moving" });
  await clock.advance("1s");
  expect(await draining).toMatchObject({ drained: true, status: { intake: "closed" } });
  const [refused] = await client.enqueueMany(job, [{ input: null }]);
  expect(refused).toMatchObject({ ok: false, error: { code: "queue-closed" } });
  await expect(client.enqueue(job, null)).rejects.toThrow(
    "The queue work was closed by ada at 2030-01-01T00:00:00.000Z (moving) and takes no new jobs; nothing was stored. To open it: millrace queues resume work.",
  );
});

test("a drain ends when somebody opens the queue, and closes one that was put back open", async () => {
  const { client, clock, broker } = await scene();
  await client.enqueue(job, null);
  const first = client.queues.drain("work");
  await clock.advance("1s");
  await broker.queues.setIntake("work", "open");
  await clock.advance("1s");
  expect((await client.queues.snapshot("work")).intake).toBe("closed");
  await client.queues.resume("work");
  await clock.advance("1s");
  expect(await first).toMatchObject({ drained: false, status: { queued: 1, intake: "open" } });
});

test("a queue that is opened while its drain closes it again stays open", async () => {
  const { client, clock, broker } = await scene();
  await client.enqueue(job, null);
  const draining = client.queues.drain("work");
  await clock.advance("1s");
  // A node puts the old subjects back; the drain sees that, and the queue's mark, and closes.
  await broker.queues.setIntake("work", "open");
  const setIntake = broker.queues.setIntake.bind(broker.queues);
  const meanwhile = vi
    .spyOn(broker.queues, "setIntake")
    .mockImplementationOnce(async (...intake) => {
      await client.queues.resume("work");
      await setIntake(...intake);
    });
  await clock.advance("10s");
  expect(meanwhile).toHaveBeenCalled();
  expect(await draining).toMatchObject({ drained: false });
  const status = await client.queues.snapshot("work");
  expect(status).toMatchObject({ intake: "open", queued: 1 });
  expect(status).not.toHaveProperty("closed");
});

test("a queue that its drain closes while it is opened is opened once more", async () => {
  const { client, clock, broker } = await scene();
  const draining = client.queues.drain("work", { timeout: "1ms" });
  await clock.advance("1s");
  await draining;
  const documents = await broker.documents(CONTROLS_BUCKET);
  const put = documents.put.bind(documents);
  // Between the opening and the mark a drain, which still read the mark, closes it.
  vi.spyOn(documents, "put").mockImplementationOnce(async (...entry) => {
    await broker.queues.setIntake("work", "closed");
    return put(...entry);
  });
  await client.queues.resume("work");
  expect(await client.queues.snapshot("work")).toMatchObject({ intake: "open" });
});

test("a drain outlasts an outage, and looks ever more seldom where nothing moves", async () => {
  const { client, clock, broker } = await scene();
  await client.enqueue(job, null);
  const looks = vi.spyOn(broker.queues, "snapshot");
  const draining = client.queues.drain("work");
  await clock.advance("1s");
  const away = new MillraceError("request-timeout", "The server did not answer in time.");
  looks.mockRejectedValueOnce(away).mockRejectedValueOnce(away);
  await clock.advance("1m");
  expect(looks.mock.calls.length).toBeLessThan(75);
  await client.queues.purge("work");
  await clock.advance("20s");
  expect(await draining).toMatchObject({ drained: true });
});

test("a drain outlasts an outage that begins while it closes its queue again", async () => {
  const { client, clock, broker } = await scene();
  await client.enqueue(job, null);
  const draining = client.queues.drain("work");
  await clock.advance("1s");
  const away = new MillraceError("request-timeout", "The server did not answer in time.");
  // A node puts the old subjects back.
  await broker.queues.setIntake("work", "open");
  const closing = vi.spyOn(broker.queues, "setIntake").mockRejectedValueOnce(away);
  await clock.advance("10s");
  expect(closing.mock.calls.length).toBeGreaterThan(1);
  await client.queues.purge("work");
  await clock.advance("20s");
  expect(await draining).toMatchObject({ drained: true, status: { intake: "closed" } });
});

test("limits name who holds what", async () => {
  const { client, clock, broker } = await scene();
  const { queues } = client;
  expect(await queues.limits()).toEqual([]);
  expect(await queues.limits("work")).toEqual([{ queue: "work" }]);
  await queues.set("work", { concurrency: 100, rate: { limit: 10, per: "1s" } });
  const claim = (holder: string) => ({ holder, leaseMs: 60_000 });
  const since = clock.now();
  await broker.locks.acquire("queue-cap/work/1", claim("a"));
  await broker.locks.acquire("queue-cap/other/3", claim("a"));
  await clock.advance(10);
  await broker.locks.acquire("queue-cap/work/0", claim("a"));
  await broker.locks.acquire("queue-cap/work/63", claim("b"));
  await broker.locks.acquire("cap/work/hash/0", claim("a"));
  const list = broker.locks.list.bind(broker.locks);
  broker.locks.list = async (prefix) =>
    (await list(prefix)).map(({ since: at, ...lock }) =>
      // As a node of an older version has it.
      lock.holder === "b" || at === undefined ? lock : { ...lock, since: at },
    );
  const held = { a: { count: 3, until: clock.now() + 500 }, gone: { count: 9, until: 0 } };
  await (await broker.documents("rates")).put("queue.work", { tokens: 1, at: clock.now(), held });
  await clock.advance("200ms");
  expect(await queues.limits()).toEqual([
    { queue: "other", concurrency: { holders: [{ holder: "a", count: 1, since }] } },
    {
      queue: "work",
      concurrency: {
        limit: 100,
        holders: [
          { holder: "a", count: 4, since },
          { holder: "b", count: 1 },
        ],
      },
      rate: { limit: 10, perMs: 1_000, available: 3, holders: [{ holder: "a", count: 3 }] },
      perKey: { holders: [{ key: "hash", holder: "a", since: since + 10 }] },
    },
  ]);
});

test("rubbish in the bucket is no queue's state", async () => {
  const { client, broker } = await scene();
  const store = await broker.documents(CONTROLS_BUCKET);
  await store.put("work", "rubbish");
  expect(await client.queues.snapshot("work")).not.toHaveProperty("paused");
  await changeControls(store, "work", { concurrency: 2 });
  expect(await client.queues.controls("work")).toEqual({ concurrency: 2 });
});
