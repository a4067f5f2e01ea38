import { defineJob, type Schema } from "@millrace/core";
import { expect, test } from "vitest";
import { createTestRuntime } from "./test-runtime.ts";

interface Input {
  n: number;
}
const key = ({ n }: Input): string => `k${n}`;
/** It answers a few turns later. */
const slow: Schema<Input, Input> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: async (value: unknown) => {
      await new Promise((resolve) => setImmediate(resolve));
      return { value: value as Input };
    },
  },
};
const plain = defineJob<Input>({ name: "plain", queue: "q" });
const unique = defineJob<Input>({ name: "unique", queue: "q", unique: { key } });
const checked = defineJob({ name: "checked", queue: "q", input: slow, unique: { key } });
const parent = defineJob({ name: "parent", queue: "q" });

/** What runs of each job were given, where each was enqueued with one object that is changed. */
async function scene() {
  const given: number[] = [];
  const t = await createTestRuntime({
    jobs: [
      plain.handler(({ input }) => void given.push(input.n)),
      unique.handler(({ input }) => void given.push(input.n)),
      checked.handler(({ input }) => void given.push(input.n)),
      parent.handler(async ({ enqueue }) => {
        await reused((input) => enqueue(plain, input));
      }),
    ],
  });
  return { t, given };
}

async function reused(call: (input: Input) => Promise<unknown>): Promise<void> {
  const input = { n: 0 };
  const calls: Promise<unknown>[] = [];
  for (input.n = 1; input.n <= 3; input.n += 1) calls.push(call(input));
  input.n = 99;
  await Promise.all(calls);
}

type Call = (t: Awaited<ReturnType<typeof scene>>["t"], input: Input) => Promise<unknown>;
const CALLS: readonly (readonly [what: string, call: Call])[] = [
  ["enqueue", ({ client }, input) => client.enqueue(plain, input)],
  ["enqueue with a delay", ({ client }, input) => client.enqueue(plain, input, { delay: "1s" })],
  [
    "enqueue within a limit",
    ({ client }, input) => client.with({ timeout: "1m" }).enqueue(plain, input),
  ],
  [
    "enqueueMany of all or none",
    ({ client }, input) => client.enqueueMany(plain, [{ input }], { atomic: true }),
  ],
  ["enqueue of a unique job", ({ client }, input) => client.enqueue(unique, input)],
  ["enqueue of a job with a slow schema", ({ client }, input) => client.enqueue(checked, input)],
  [
    "enqueue once",
    ({ client }, input) => client.enqueue(plain, input, { id: `o${input.n}`, once: true }),
  ],
  ["a chain", ({ client }, input) => client.chain(plain, input).enqueue()],
];
test.each(CALLS)("%s sends the input as it is at the call", async (_what, call) => {
  const { t, given } = await scene();
  await using _t = t;
  await reused((input) => call(t, input));
  await t.drain();
  await t.clock.advance("2s");
  await t.drain();
  expect(given.toSorted()).toEqual([1, 2, 3]);
});

test("a handler's enqueue sends the input as it is at the call", async () => {
  const { t, given } = await scene();
  await using _t = t;
  await t.client.enqueue(parent, null);
  await t.drain();
  expect(given.toSorted()).toEqual([1, 2, 3]);
});
