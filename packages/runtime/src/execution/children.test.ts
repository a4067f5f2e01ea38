import {
  defineJob,
  type ExecutionContext,
  MillraceError,
  OutcomeSignal,
  type TransactionalDatabase,
} from "@millrace/core";
import { describe, expect, test } from "vitest";
import { latch, QUEUE, simulatedNode } from "../fixtures/simulated-node.ts";

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

/** A database whose transactions only say when they are under way. */
const shop: TransactionalDatabase<"tx", "outbox"> = {
  once: async ({ job, signal }, act) => {
    signal.throwIfAborted();
    const output = await act("tx", "outbox");
    if (OutcomeSignal.is(output)) throw output;
    return Object.assign(output as object, { of: job.id }) as typeof output;
  },
};

describe("a job's transaction", () => {
  test("is given the run, and its output is the transaction's", async () => {
    const { run, history } = await family(({ transaction }) =>
      transaction(shop, async (...given) => ({ given })),
    );
    await run();
    expect(await history()).toMatchObject([
      { state: "succeeded", output: { given: ["tx", "outbox"], of: "a" } },
    ]);
  });

  test("lets nothing be enqueued past it while it is open", async () => {
    const codes: unknown[] = [];
    const { given, run } = await family(async ({ enqueue, enqueueMany, transaction }) => {
      const refused = async (doing: Promise<unknown>): Promise<void> => {
        codes.push(await doing.then(String, ({ code }: MillraceError) => code));
      };
      await transaction(shop, async () => {
        await refused(enqueue(child, 1));
        await refused(enqueueMany(child, [{ input: 2 }]));
        return {};
      });
      await transaction(shop, () => Promise.reject(new Error("rolled back"))).catch(() => {});
      await enqueue(child, 3);
    });
    await run();
    expect(codes).toEqual(["invalid-option", "invalid-option"]);
    expect(given).toEqual([[3, { id: "a", queue: QUEUE }]]);
  });

  test("is one: a second is refused, unless the first was rolled back", async () => {
    const codes: unknown[] = [];
    const { run, history } = await family(async ({ transaction }) => {
      const one = (n: number) => transaction(shop, async () => ({ n }));
      await transaction(shop, () => Promise.reject(new Error("rolled back"))).catch(() => {});
      const [first, second] = await Promise.allSettled([one(1), one(2)]);
      const third = await one(3).catch((error: unknown) => error);
      codes.push(second.status === "rejected" && (second.reason as MillraceError).code);
      codes.push((third as MillraceError).code);
      return first.status === "fulfilled" ? first.value : undefined;
    });
    await run();
    expect(codes).toEqual(["invalid-option", "invalid-option"]);
    expect(await history()).toMatchObject([{ state: "succeeded", output: { n: 1 } }]);
  });

  test("needs a database that was made for it", async () => {
    const { run, history } = await family(({ transaction }) =>
      transaction({} as typeof shop, async () => 1),
    );
    await run();
    expect((await history())[0]).toMatchObject({ error: { type: "invalid-option" } });
  });
});

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
    const first = latch();
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
