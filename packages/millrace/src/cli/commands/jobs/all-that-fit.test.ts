import { defineJob } from "@millrace/core";
import { expect, test } from "vitest";
import { createTestRuntime } from "../../../testing/test-runtime.ts";
import { processIo } from "../../io.ts";
import { changeAll } from "./all-that-fit.ts";

const job = defineJob<number>({ name: "send", queue: "mail" });

/** Asks to cancel three jobs; by the answer there are more. */
async function cancelAll({ more, yes }: { readonly more: number; readonly yes: boolean }) {
  const t = await createTestRuntime({ jobs: [job.handler(() => undefined)] });
  await t.client.queues.pause("mail");
  const enqueue = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n += 1) await t.enqueue(job, n);
  };
  await enqueue(3);
  const io = {
    ...processIo(),
    err: () => undefined,
    ask: async () => {
      await enqueue(more);
      return "y";
    },
  };
  const changed = changeAll(
    t.client,
    { kind: "jobs-cancel", filter: { queue: "mail" } },
    {
      ...{ io, config: {}, yes, detach: true, otherwise: "nothing" },
      question: (count) => `Cancel ${count} jobs?`,
    },
  );
  return { t, changed };
}

test("who was asked about three jobs and says yes does not cancel hundreds that came meanwhile", async () => {
  const { t, changed } = await cancelAll({ more: 300, yes: false });
  await using _t = t;
  await expect(changed).rejects.toMatchObject({ code: "more-than-confirmed" });
  expect(await t.client.operations.list()).toEqual([]);
});

test.each([
  ["one more came, as in every queue that lives", { more: 1, yes: false }, 4],
  ["nobody was asked", { more: 300, yes: true }, 3],
])("it begins where %s", async (_, how, total) => {
  const { t, changed } = await cancelAll(how);
  await using _t = t;
  await changed;
  expect(await t.client.operations.list()).toMatchObject([{ total }]);
});

test("who is asked was told before how many nodes did not answer", async () => {
  const ended = Promise.withResolvers<void>();
  await using t = await createTestRuntime({ jobs: [job.handler(() => ended.promise)] });
  await t.enqueue(job, 1);
  await t.clock.advance("1s");
  t.broker.listRunning = async ({ awaited }) => {
    awaited?.onSilent(awaited.names);
    return [];
  };
  const said: string[] = [];
  const io = {
    ...processIo(),
    err: (text: string) => void said.push(text),
    ask: async (question: string) => {
      said.push(question);
      return "n";
    },
  };
  await changeAll(
    t.client,
    { kind: "jobs-cancel", filter: { queue: "mail" } },
    {
      ...{ io, config: {}, yes: undefined, detach: true, otherwise: "nothing" },
      question: (count) => `Cancel ${count} jobs?`,
    },
  );
  ended.resolve();
  expect(said).toEqual([
    expect.stringMatching(/^1 node did not answer/),
    expect.stringMatching(/^Cancel 1 jobs\?/),
  ]);
});
