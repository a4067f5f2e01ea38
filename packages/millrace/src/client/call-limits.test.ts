import { once } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import { defineJob, MillraceError, systemClock } from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { createClient } from "./client.ts";

const job = defineJob<{ n: number }>({ name: "j", queue: "work" });
const keyed = defineJob<{ n: number }>({
  name: "k",
  queue: "work",
  unique: { key: ({ n }) => String(n) },
});

/** A client whose documents, which unique keys stand in, answer when the test says. */
async function scene() {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  await broker.queues.ensure("work");
  const answer = Promise.withResolvers<void>();
  const documents = broker.documents.bind(broker);
  broker.documents = async (bucket) => {
    await answer.promise;
    return documents(bucket);
  };
  return { clock, broker, answer: answer.resolve, client: createClient(broker, clock) };
}

const failure = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => "no failure",
    (error: unknown) => error,
  );

test("a call within its time is as without limits", async () => {
  const { client, answer } = await scene();
  answer();
  const limited = client.with({ timeout: "1s", signal: new AbortController().signal });
  const handle = await limited.enqueue(job, { n: 1 });
  expect(await limited.job(handle.id)).toMatchObject({ state: "queued" });
  expect(await limited.queues.list()).toHaveLength(1);
});

test("an enqueue that waits for its unique key stores nothing when its time is over", async () => {
  const { client, clock, broker, answer } = await scene();
  const late = failure(client.with({ timeout: "2s" }).enqueue(keyed, { n: 1 }));
  await clock.advance("3s");
  expect(await late).toMatchObject({ code: "publish-timeout" });
  answer();
  await clock.advance("1s");
  expect(await broker.queues.snapshot("work")).toMatchObject({ queued: 0 });
});

test("a process that stood still over the time of a call still hears what became of its job", async () => {
  const broker = new MemoryBroker();
  const told = new MillraceError("publish-timeout", "It was never sent.");
  broker.enqueue = async ([envelope], { signal } = {}) => {
    await once(signal as AbortSignal, "abort");
    // A turn of the event loop later.
    await nextTurn();
    const { id = "", queue = "" } = envelope ?? {};
    return [{ ok: false, id, queue, error: told }];
  };
  const late = failure(
    createClient(broker, systemClock).with({ timeout: "20ms" }).enqueue(job, { n: 1 }),
  );
  await nextTurn();
  for (const since = performance.now(); performance.now() - since < 200;);
  expect(await late).toBe(told);
});

test("each call has its own time, and the later limits count", async () => {
  const { client, clock } = await scene();
  const limited = client.with({ timeout: "1s" }).with({ timeout: "5s" });
  for (let n = 0; n < 3; n += 1) {
    await limited.enqueue(job, { n });
    await clock.advance("4s");
  }
  const late = failure(limited.queues.controls("work"));
  await clock.advance("4s");
  await clock.advance("2s");
  expect(await late).toMatchObject({
    code: "request-timeout",
    message: expect.stringContaining("queues.controls() took longer than 5s") as string,
  });
});

test("what is no duration is refused, and a signal that was aborted before ends every call", async () => {
  const { client } = await scene();
  const soon = expect.objectContaining({ code: "invalid-duration" }) as Error;
  expect(() => client.with({ timeout: "soon" as "1s" })).toThrow(soon);
  await expect(client.health({ timeout: "soon" as "1s" })).rejects.toThrow(soon);
  const reason = new MillraceError("shutdown", "over");
  const ended = client.with({ signal: AbortSignal.abort(reason) });
  for (const call of [
    ended.enqueue(job, { n: 1 }),
    ended.enqueueMany(job, [{ input: { n: 1 } }]),
    ended.job("a"),
    ended.cancel("a"),
    ended.dead.list(),
    ended.handle("a", "work").status(),
    ended.handle("a", "work").result(),
    ended.lock("l", {}, () => 1),
  ])
    await expect(call).rejects.toBe(reason);
});

test("no timer stays behind", async () => {
  const { client, clock } = await scene();
  await client.with({ timeout: "1h" }).enqueue(job, { n: 1 });
  expect(clock.nextTimerInMs).toBeUndefined();
});
