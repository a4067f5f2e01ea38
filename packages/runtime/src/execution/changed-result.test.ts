import { defineJob, type SucceededJob } from "@millrace/core";
import { expect, test } from "vitest";
import { readEnd } from "../durable/end-message.ts";
import { QUEUE, simulatedNode } from "../fixtures/simulated-node.ts";

/** Its handlers give one object, which is changed after each thing that is written of an end. */
async function scene() {
  const totals = { cents: 0 };
  const heard: Record<string, unknown> = {};
  const sum = () => {
    totals.cents += 100;
    return totals;
  };
  const next = defineJob<unknown>({ name: "t.next", queue: QUEUE });
  const tell = defineJob<SucceededJob>({ name: "t.tell", queue: QUEUE });
  const plain = defineJob<null, null, unknown>({ name: "t.sum", queue: QUEUE });
  const told = defineJob({ name: "t.told", queue: QUEUE, onSucceeded: tell });
  const calls = defineJob({ name: "t.calls", queue: QUEUE, steps: true });
  const made = await simulatedNode({
    jobs: [
      plain.handler(sum),
      told.handler(sum),
      next.handler(({ input }) => void (heard["next"] = input)),
      tell.handler(({ input }) => void (heard["told"] = input.result)),
      calls.handler(async ({ step }) => void (heard["called"] = await step.call(plain, null))),
    ],
  });
  const { broker } = made;
  const ids = new Map<string, string>();
  const settle = broker.settle.bind(broker);
  broker.settle = async (delivery, steps) => {
    for (const step of steps) {
      if (step.do === "record") ids.set(step.record.name, step.record.id);
      await settle(delivery, [step]);
      totals.cents += 1;
    }
  };
  const recorded = async (name: string): Promise<unknown> =>
    (await broker.history.read({ id: ids.get(name) ?? "" })).at(-1)?.output;
  return { ...made, heard, recorded };
}

const WAYS = [
  ["the next job of a chain", "t.sum", "next", { next: [{ name: "t.next", queue: QUEUE }] }],
  ["whoever is told of a success", "t.told", "told", {}],
] as const;
test.each(WAYS)("%s is given the result that is on record", async (_who, name, who, fields) => {
  const { enqueue, clock, heard, recorded } = await scene();
  await enqueue(name, null, fields);
  await clock.advance("1m");
  expect(heard[who]).toEqual({ cents: 100 });
  expect(await recorded(name)).toEqual({ cents: 100 });
});

test("a step that has called a job is given the result that is on record", async () => {
  const { enqueue, clock, heard, recorded } = await scene();
  await enqueue("t.calls");
  await clock.advance("1m");
  expect(heard["called"]).toEqual(await recorded("t.sum"));
});

test.each([
  ["values than bytes can be sent", () => ({ list: Array.from({ length: 1_000_000 }, () => 1) })],
  ["bytes than can be sent", () => ({ text: "x".repeat(1_000_000) })],
])("a result of more %s is not held twice to be handed on", async (_what, make) => {
  let reads = 0;
  const counted = (result: object): object =>
    new Proxy(result, {
      get: (target, key) => {
        const field: unknown = Reflect.get(target, key);
        if (key !== "list" && key !== "text") return field;
        reads += 1;
        return field;
      },
    });
  const told: unknown[] = [];
  const tell = defineJob<SucceededJob>({ name: "t.tell", queue: QUEUE });
  const large = defineJob({ name: "t.large", queue: QUEUE, onSucceeded: tell });
  const { enqueue, clock, broker, history } = await simulatedNode({
    jobs: [
      large.handler(() => counted(make())),
      tell.handler(({ input }) => void told.push(input.resultDropped)),
    ],
    maxMessageBytes: 16_384,
  });
  await enqueue("t.large", null, { next: [{ name: "t.next", queue: QUEUE }] });
  await clock.advance("1m");
  expect((await history("a")).at(-1)).toMatchObject({
    state: "succeeded",
    outputDropped: "too-large",
  });
  expect(told).toEqual(["too-large"]);
  const [letter] = await broker.deadLetters.list();
  expect(letter).toMatchObject({ reason: "chain-broken", error: { type: "payload-too-large" } });
  // By one encoding: what is left of it says why it can't be sent.
  expect(reads).toBeLessThanOrEqual(3);
});

test.each([
  ["of too many bytes", () => ({ text: "x".repeat(1_000_000) }), "payload-too-large", /dropped/],
  ["of too many values", () => Array.from({ length: 1_000_000 }), "payload-too-large", /dropped/],
  ["that is no data", () => ({ at: [new Map()] }), "unserializable-payload", /output\.at\[0\]/],
])("a machine hears why it has no result %s", async (_what, make, code, why) => {
  const job = defineJob({ name: "t.invoked", queue: QUEUE }).handler(make);
  const { enqueue, clock, broker } = await simulatedNode({ jobs: [job], maxMessageBytes: 16_384 });
  const { inbox } = broker;
  const told: unknown[] = [];
  inbox.tell = (_to, data) => Promise.resolve(void told.push(readEnd(data)));
  const id = "millrace-m:order:o-1:r:1:x";
  await enqueue("t.invoked", null, { id });
  await clock.advance("1m");
  const message = expect.stringMatching(why) as string;
  expect(told).toEqual([{ job: id, error: { type: code, message } }]);
});
