import { defineJob, type ExecutionContext, MillraceError } from "@millrace/core";
import { describe, expect, test } from "vitest";
import { gate, QUEUE, simulatedNode } from "../fixtures/simulated-node.ts";

const child = defineJob<number>({ name: "t.child", queue: QUEUE });

/** A node whose job does this, and whose children note what they are given. */
async function family(handle: (context: ExecutionContext) => unknown) {
  const given: unknown[] = [];
  const made = await simulatedNode({
    jobs: [
      defineJob({
        name: "t.job",
        queue: QUEUE,
        retry: { attempts: 2, backoff: "fixed", base: "1s", jitter: false },
      }).handler(handle),
      child.handler(({ input, job }) => void given.push([input, job.parent])),
    ],
  });
  const run = async () => {
    await made.enqueue("t.job");
    await made.clock.advance("5s");
  };
  return { ...made, given, run };
}

describe("a job that is enqueued in a handler", () => {
  test("knows its parent, and is on the parent's record", async () => {
    const { given, run, history } = await family(async ({ enqueue, job }) => {
      const { id, queue } = await enqueue(child, 7, { id: `${job.id}-child` });
      return { id, queue };
    });
    await run();
    expect(given).toEqual([[7, { id: "a", queue: QUEUE }]]);
    expect(await history()).toMatchObject([
      {
        state: "succeeded",
        output: { id: "a-child", queue: QUEUE },
        children: { count: 1, jobs: [{ id: "a-child", queue: QUEUE }] },
      },
    ]);
    expect(await history("a-child")).toMatchObject([{ parent: { id: "a", queue: QUEUE } }]);
  });

  test("is recorded with the attempt that enqueued it, whatever became of that", async () => {
    const { run, history } = await family(async ({ enqueue, attempt }) => {
      if (attempt === 2) return;
      await enqueue(child, 1, { id: "a-1" });
      throw new Error("no");
    });
    await run();
    const records = await history();
    expect(records.map(({ state, children }) => [state, children?.count])).toEqual([
      ["requeued", 1],
      ["succeeded", undefined],
    ]);
  });

  test("one of many: the record counts them all and names the first 100", async () => {
    const { given, run, history } = await family(({ enqueueMany }) =>
      enqueueMany(
        child,
        Array.from({ length: 150 }, (_, n) => ({ id: `c${n}`, input: n })),
      ).then((results) => results.filter(({ ok }) => ok).length),
    );
    await run();
    expect(given).toHaveLength(150);
    const [record] = await history();
    expect(record).toMatchObject({ output: 150, children: { count: 150 } });
    expect(record?.children?.jobs).toHaveLength(100);
  });

  test("is refused with the reason, and the handler may go on", async () => {
    const { run, history } = await family(({ enqueue }) =>
      enqueue(defineJob({ name: "t.nowhere", queue: "nowhere" }), 1).catch((error: unknown) =>
        MillraceError.is(error) ? error.code : error,
      ),
    );
    await run();
    const [record] = await history();
    expect(record?.output).toBe("queue-not-found");
    expect(record).not.toHaveProperty("children");
  });

  test("is refused once the parent may be another node's", async () => {
    const first = gate();
    const refused: unknown[] = [];
    const { broker, clock, enqueue, given } = await family(async (context) => {
      await first.promise;
      await context.enqueue(child, context.token).catch((error: unknown) => refused.push(error));
    });
    await enqueue("t.job");
    broker.loseLeases(QUEUE);
    await clock.advance(0);
    first.open();
    await clock.advance("1s");
    expect(refused).toMatchObject([{ code: "lease-lost" }]);
    expect(given).toHaveLength(1);
  });
});
