import {
  defineJob,
  type HistoryRecord,
  MillraceError,
  StepError,
  UNSETTLED,
  withOwn,
} from "@millrace/core";
import { MemoryBroker } from "@millrace/testkit";
import { expect, onTestFinished, test } from "vitest";
import { readEnd } from "../../durable/end-message.ts";
import { invokedHook } from "../../durable/invoked-hook.ts";
import { QUEUE, simulatedNode } from "../../fixtures/simulated-node.ts";
import type { Settled } from "./settlement-hook.ts";

const told = defineJob({ name: "told", queue: "elsewhere" });
const child = defineJob<{ n: number }, { n: number }, number>({
  name: "t.child",
  queue: "children",
  onSucceeded: told,
});
const parent = defineJob({ name: "t.parent", queue: QUEUE, steps: true });

test("a called job that has succeeded is told as such, though what follows it becomes a letter", async () => {
  const seen: unknown[] = [];
  const { enqueue, clock, broker } = await simulatedNode({
    jobs: [
      parent.handler(async ({ step }) => {
        const answer = step.call(child, { n: 4 });
        seen.push(await answer.catch((error: unknown) => StepError.is(error) && error.type));
      }),
      child.handler(({ input }) => input.n * 2),
    ],
  });
  const settle = broker.settle.bind(broker);
  let dies = true;
  broker.settle = async (delivery, steps) => {
    const at = steps.findIndex((step) => step.do === "enqueue");
    if (at < 0) return settle(delivery, steps);
    if (!dies) throw new MillraceError("queue-not-found", "elsewhere is gone");
    // Between the record and what follows it.
    dies = false;
    await settle(delivery, steps.slice(0, at));
    broker.loseLeases("children");
    throw new MillraceError("lease-lost", "it died here");
  };
  await enqueue("t.parent");
  await clock.advance("10m");
  expect(seen).toEqual([8]);
  const letters = await broker.deadLetters.list({ queue: "elsewhere" });
  expect(letters).toMatchObject([{ reason: "chain-broken", name: "told" }]);
});

test.each([
  ["of another id", { id: "succeeded:bills:it", queue: "bills" }],
  ["of its id in another queue", { id: "it", queue: "elsewhere" }],
])("a machine is told its job's end and not that of a follower %s", async (_what, of) => {
  const broker = new MemoryBroker();
  onTestFinished(() => broker.close());
  const id = "millrace-m:order:o-1:r:1:x";
  const follower = { ...of, id: of.id.replace("it", id) };
  const record: HistoryRecord = {
    ...{ id, queue: "bills", name: "bill", state: "succeeded", outcome: "succeeded" },
    ...{ attempts: 1, generation: 0, node: "n", at: 5, output: 8 },
  };
  const dead = { ...record, ...follower, state: "dead", reason: "chain-broken" } as const;
  const told: unknown[] = [];
  const hook = invokedHook({
    history: withOwn(broker.history, {
      last: () => Promise.resolve({ record, storedAt: 5 }),
    }),
    inbox: withOwn(broker.inbox, {
      tell: (_to, data) => Promise.resolve(void told.push(readEnd(data))),
    }),
  });
  const envelope = {
    ...{ ...UNSETTLED, id, queue: "bills", name: "bill", payload: null, createdAt: 1 },
    headers: {},
  };
  const settled: Pick<Settled, "envelope" | "settlement"> = {
    envelope,
    settlement: {
      ...{ envelope, state: "recalled" },
      steps: [{ do: "record", record: dead }, { do: "ack" }],
    },
  };
  await hook.beforeAck?.(settled as Settled);
  expect(told).toEqual([{ job: id, output: 8 }]);
});
