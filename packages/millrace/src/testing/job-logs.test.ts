import { defineJob } from "@millrace/core";
import { expect, test } from "vitest";
import type { JobLogEntry } from "../client/jobs/job-logs.ts";
import { createTestRuntime } from "./test-runtime.ts";

const chatty = defineJob<number>({
  name: "chatty",
  retry: { attempts: 2, base: "1s", jitter: false },
});

/** Logs when it begins and each time it is told to go on; the first attempt fails then. */
const runtime = () => {
  const job = chatty.handler(async ({ input, log, attempt }) => {
    for (let step = 1; step <= input; step += 1) {
      log.info({ step }, `step ${step}`);
      await new Promise<void>((resolve) => (next = resolve));
      if (attempt === 1) throw new Error("once more");
    }
  });
  return createTestRuntime({ jobs: [job] });
};
let next = (): void => {};

const short = ({ attempt, message }: JobLogEntry): string => `${attempt} ${message}`;

test("logs() gives what there is; with follow it goes on over retries until the job has ended", async () => {
  await using t = await runtime();
  const handle = await t.enqueue(chatty, 2);
  await t.clock.advance("1s");
  const sofar: string[] = [];
  for await (const entry of handle.logs()) sofar.push(short(entry));
  expect(sofar).toEqual(["1 step 1"]);
  const seen: JobLogEntry[] = [];
  const read = (async () => {
    for await (const entry of handle.logs({ follow: true })) seen.push(entry);
  })();
  for (let round = 0; round < 4; round += 1) {
    await t.clock.advance("2s");
    next();
  }
  await t.clock.advance("2s");
  await read;
  expect(seen.map(short)).toEqual(["1 step 1", "2 step 1", "2 step 2"]);
  expect(seen[2]).toMatchObject({ level: "info", fields: { step: 2 }, node: "test-node" });
  await t.assertSucceeded(handle);
});

test("a reader that stops early leaves nothing open; one that is cut off goes on afterwards", async () => {
  await using t = await runtime();
  const handle = await t.enqueue(chatty, 1);
  await t.clock.advance("1s");
  for await (const entry of handle.logs({ follow: true })) {
    expect(short(entry)).toBe("1 step 1");
    break;
  }
  const seen: string[] = [];
  const read = (async () => {
    for await (const entry of handle.logs({ follow: true })) seen.push(short(entry));
  })();
  await t.clock.advance("1s");
  t.broker.disconnect();
  await t.clock.advance("2s");
  t.broker.reconnect();
  next();
  await t.clock.advance("5s");
  next();
  await t.clock.advance("1m");
  await read;
  expect(seen).toEqual(["1 step 1", "2 step 1"]);
});

test("the signal ends a reading with its reason", async () => {
  await using t = await runtime();
  const handle = await t.enqueue(chatty, 1);
  await t.clock.advance("1s");
  const stop = new AbortController();
  const read = (async () => {
    for await (const _ of handle.logs({ follow: true, signal: stop.signal })) continue;
  })();
  read.catch(() => {});
  await t.clock.advance("1s");
  stop.abort(new Error("enough"));
  await t.clock.advance("1s");
  await expect(read).rejects.toThrow("enough");
  await handle.cancel();
  next();
  await t.clock.advance("1m");
});

test("an id that is enqueued again has lines of its own", async () => {
  await using t = await runtime();
  const once = async (): Promise<readonly string[]> => {
    const handle = await t.enqueue(chatty, 1, { id: "again", once: false });
    expect(handle.queue).toBe("default");
    await t.clock.advance("1s");
    next();
    await t.clock.advance("5s");
    next();
    await t.clock.advance("5s");
    await t.assertSucceeded(handle);
    const seen: string[] = [];
    for await (const entry of handle.logs()) seen.push(short(entry));
    return seen;
  };
  expect(await once()).toEqual(["1 step 1", "2 step 1"]);
  await t.clock.advance("1h");
  expect(await once()).toEqual(["1 step 1", "2 step 1"]);
  const all: string[] = [];
  for await (const entry of t.client.handle("again", "default").logs()) all.push(short(entry));
  expect(all).toHaveLength(4);
});

test("lines that were not kept are said, in their place", async () => {
  const loud = defineJob({ name: "loud" }).handler(({ log }) => {
    for (let n = 0; n < 1_003; n += 1) log.info({}, `line ${n}`);
  });
  await using t = await createTestRuntime({ jobs: [loud] });
  const handle = await t.enqueue(loud, null);
  await t.clock.advance("1s");
  const seen: JobLogEntry[] = [];
  for await (const entry of handle.logs()) seen.push(entry);
  expect(seen).toHaveLength(1_001);
  expect(seen.at(-1)).toMatchObject({
    left: 3,
    level: "warn",
    message: "3 more lines were not kept",
  });
});
