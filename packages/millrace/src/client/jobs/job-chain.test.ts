import { defineJob, fatal } from "@millrace/core";
import { expect, test } from "vitest";
import { flowFacts } from "../../cli/show/flow.ts";
import { createTestRuntime } from "../../testing/test-runtime.ts";
import { chainOf } from "./job-chain.ts";

const add = defineJob<number>({ name: "add" });

test("of a long chain the jobs to come that nobody names are counted", async () => {
  await using t = await createTestRuntime({
    jobs: [add.handler(({ input }) => (input === 0 ? fatal("nothing to add to") : input + 1))],
  });
  const enqueue = async (id: string, links: number): Promise<void> => {
    let chain = t.client.chain(add, -1, { id });
    for (let n = 0; n < links; n += 1) chain = chain.next(add);
    await chain.enqueue();
    // The second is given nothing, and fails.
    await t.drain();
  };
  await enqueue("long", 14);
  await enqueue("short", 11);
  const lookUp: Parameters<typeof chainOf>[0] = (id, options) => t.client.job(id, options);
  const look = async (id: string) => (await chainOf(lookUp, await t.client.job(id))) ?? [];
  for (const id of ["long", "long:2"]) {
    const chain = await look(id);
    expect(chain.map(({ more }) => more ?? 0)).toEqual([...Array(11).fill(0), 3]);
    const [fact] = flowFacts({ chain }, "default", undefined);
    expect(fact?.[1]).toMatch(/ → long:12: not begun → and 3 more$/);
  }
  const whole = await look("short");
  expect(whole).toHaveLength(12);
  expect(whole.every((member) => member.more === undefined)).toBe(true);
});

test("a job of a chain that stands in another trace than the one that is looked at says so", () => {
  const [first, second] = ["a".repeat(32), "b".repeat(32)];
  const chain = [
    { id: "one", queue: "q", state: "succeeded", traceId: first },
    { id: "two", queue: "q", state: "running", traceId: second },
  ] as const;
  expect(flowFacts({ chain, traceId: first }, "q", undefined)).toEqual([
    ["chain", `one: succeeded → two: running (trace ${second})`],
  ]);
});
