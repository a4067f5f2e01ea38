import {
  brokerOutlet,
  defineJob,
  MillraceError,
  Producer,
  readEntry,
  StepError,
} from "@millrace/core";
import { expect, test } from "vitest";
import { QUEUE, simulatedNode } from "../../fixtures/simulated-node.ts";

const charge = defineJob<{ order: string }, { order: string }, string>({
  name: "t.charge",
  queue: "charges",
  unique: { key: ({ order }) => order, while: "running" },
});
const order = defineJob({
  name: "t.order",
  queue: QUEUE,
  steps: true,
  retry: { attempts: 3, backoff: "fixed", base: "1m", jitter: false },
});

/** A job that calls another; each attempt notes what it is answered, and does the rest. */
async function scene(rest: (attempt: number) => void = () => {}) {
  const answers: unknown[] = [];
  const charged: string[] = [];
  const made = await simulatedNode({
    jobs: [
      charge.handler(({ job }) => {
        charged.push(job.id);
        return "charged";
      }),
      order.handler(async ({ attempt, step }) => {
        const answer = await step.call(charge, { order: "7" }).catch((error: unknown) => {
          if (!StepError.is(error)) throw error;
          return error.type;
        });
        answers.push(answer);
        rest(attempt);
        return answer;
      }),
    ],
  });
  const producer = new Producer(brokerOutlet(made.broker, made.clock), made.clock);
  /** Another job that has the key meanwhile. */
  const hold = (delay: "30s" | "10m" | "1h") =>
    producer.enqueue(charge, { order: "7" }, { id: "holder", delay });
  const last = async () => (await made.history()).at(-1);
  return { ...made, answers, charged, hold, last };
}

test("a call of a job whose unique key another job has fails at once, and waits for nobody", async () => {
  const { hold, enqueue, clock, answers, charged, last } = await scene();
  await hold("10m");
  await enqueue("t.order");
  await clock.advance("5s");
  expect(answers).toEqual(["unique-conflict"]);
  expect(await last()).toMatchObject({ state: "succeeded", output: "unique-conflict" });
  await clock.advance("15m");
  expect(charged).toEqual(["holder"]);
});

test("a call that was refused stays refused in later attempts, also once the key is free", async () => {
  const { hold, enqueue, clock, answers, charged, last, broker } = await scene((attempt) => {
    if (attempt === 1) throw new Error("after the call");
  });
  await hold("30s");
  const run = { queue: QUEUE, id: "a", createdAt: clock.now() };
  await enqueue("t.order");
  await clock.advance("5s");
  const stored = await broker.journal.read(run);
  expect(stored.map(({ data }) => readEntry(data))).toMatchObject([
    {
      ...{ kind: "call", state: "ended" },
      error: { type: "unique-conflict", message: expect.stringContaining("holder") },
    },
  ]);
  await clock.advance("5m");
  expect(answers).toEqual(["unique-conflict", "unique-conflict"]);
  expect(charged).toEqual(["holder"]);
  expect(await last()).toMatchObject({ state: "succeeded", attempts: 2 });
});

test("a holder that dies before the refusal is on record leaves a call that is decided once", async () => {
  const { hold, enqueue, clock, answers, charged, broker, last } = await scene((attempt) => {
    if (attempt === 1) throw new Error("after the call");
  });
  await hold("1h");
  const write = broker.journal.write.bind(broker.journal);
  let dies = true;
  broker.journal.write = async (run, step, data, options) => {
    const entry = readEntry(data);
    if (dies && entry?.kind === "call" && entry.state === "ended") {
      dies = false;
      broker.loseLeases(QUEUE);
      throw new MillraceError("lease-lost", "it died here");
    }
    return write(run, step, data, options);
  };
  await enqueue("t.order");
  await clock.advance("10m");
  expect(dies).toBe(false);
  expect(new Set(answers)).toEqual(new Set(["unique-conflict"]));
  expect(await last()).toMatchObject({ state: "succeeded", output: "unique-conflict" });
  await clock.advance("2h");
  expect(charged).toEqual(["holder"]);
});
