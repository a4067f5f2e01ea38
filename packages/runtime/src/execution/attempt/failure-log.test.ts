import { cancel, defineJob, fatal, type Logger, silentLogger, snooze } from "@millrace/core";
import { expect, test } from "vitest";
import { QUEUE, simulatedNode } from "../../fixtures/simulated-node.ts";

interface Line {
  readonly message: string;
  readonly [field: string]: unknown;
}

/** A node whose job ends as its payload says, and what its log says of it. */
async function scene(log?: Logger) {
  const lines: Line[] = [];
  const noting: Logger = {
    ...silentLogger,
    warn: (fields, message) => void lines.push({ message, ...fields }),
    child: () => noting,
  };
  const job = defineJob({
    name: "t.job",
    queue: QUEUE,
    timeout: "5s",
    grace: "0s",
    retry: { attempts: 2, backoff: "fixed", base: "20s", jitter: false },
  }).handler(({ job: { id } }) => {
    if (id.startsWith("snooze")) return snooze("1h");
    if (id.startsWith("cancel")) return cancel("unwanted");
    if (id.startsWith("fatal")) return fatal("never");
    if (id.startsWith("hang")) return new Promise(() => {});
    if (id.startsWith("ok")) return 1;
    throw new TypeError(`no luck with ${id}`);
  });
  return { ...(await simulatedNode({ jobs: [job], log: log ?? noting })), lines };
}

const AGAIN = "an attempt failed; it is made again";
const MORE = "more attempts failed; they are made again";
const DEAD = "a job is dead; its letter is among the dead letters";

test("a dead letter is a line with its job, its attempts, its reason and its error", async () => {
  const { clock, enqueue, lines } = await scene();
  await enqueue("t.job", null, { id: "fatal-1" });
  await enqueue("t.job", null, { id: "bad-1" });
  await clock.advance("30s");
  expect(lines.filter(({ message }) => message === DEAD)).toEqual([
    {
      message: DEAD,
      job: "fatal-1",
      name: "t.job",
      queue: QUEUE,
      attempts: 1,
      reason: "fatal",
      error: expect.objectContaining({ message: "never" }) as object,
    },
    {
      message: DEAD,
      job: "bad-1",
      name: "t.job",
      queue: QUEUE,
      attempts: 2,
      reason: "attempts-exhausted",
      error: expect.objectContaining({
        type: "TypeError",
        message: "no luck with bad-1",
      }) as object,
    },
  ]);
});

test("failed attempts are a line at the first, then one a minute that counts them", async () => {
  const { clock, enqueue, lines } = await scene();
  for (let n = 0; n < 50; n += 1) await enqueue("t.job", null, { id: `bad-${n}` });
  await enqueue("t.job", null, { id: "hang-1" });
  await clock.advance("61s");
  const told = lines.filter(({ message }) => message !== DEAD);
  expect(told).toEqual([
    {
      message: AGAIN,
      job: "bad-0",
      name: "t.job",
      queue: QUEUE,
      attempt: 1,
      error: expect.objectContaining({ message: "no luck with bad-0" }) as object,
    },
    {
      message: MORE,
      name: "t.job",
      queue: QUEUE,
      failed: 49,
      timedOut: 1,
      withinMs: 60_000,
      error: expect.objectContaining({ type: "timed-out" }) as object,
    },
  ]);
});

test("after a quiet minute the next failure is told at once again, and a stop tells the rest", async () => {
  const { clock, enqueue, lines, node } = await scene();
  await enqueue("t.job", null, { id: "bad-1" });
  await clock.advance("2m");
  await enqueue("t.job", null, { id: "bad-2" });
  await enqueue("t.job", null, { id: "bad-3" });
  await clock.advance("1s");
  const stopping = node.stop();
  await clock.advance("1s");
  await stopping;
  expect(lines.map(({ message }) => message)).toEqual([AGAIN, DEAD, AGAIN, MORE]);
});

test("what is no failure is no line", async () => {
  const { clock, enqueue, lines } = await scene();
  for (const id of ["ok-1", "snooze-1", "cancel-1"]) await enqueue("t.job", null, { id });
  await clock.advance("10s");
  expect(lines).toEqual([]);
});

test("a node without a log keeps no timer for it", async () => {
  const { clock, enqueue, broker } = await scene(silentLogger);
  await enqueue("t.job", null, { id: "fatal-1" });
  await clock.advance("1s");
  expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ dead: 1 });
});
