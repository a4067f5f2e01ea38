import { defineJob } from "@millrace/core";
import { expect, test } from "vitest";
import { createTestRuntime, type TestRuntime } from "../../testing/test-runtime.ts";

/** As JavaScript would hand it over. */
const js = (filter: unknown): never => filter as never;

const dies = ["mail", "print"].map((queue) =>
  defineJob<unknown>({ name: `dies-${queue}`, queue, retry: "none" }).handler(() => {
    throw new Error("no");
  }),
);

async function withLetters(t: TestRuntime): Promise<void> {
  for (const job of dies)
    for (const id of ["a", "b"]) await t.enqueue(job, 1, { id: `${job.queue}-${id}` });
  await t.drain();
}

const changes: Readonly<Record<string, (t: TestRuntime, filter: never) => Promise<unknown>>> = {
  "dead.retry()": (t, filter) => t.client.dead.retry(filter),
  "dead.discard()": (t, filter) => t.client.dead.discard(filter),
  "operations.start()": (t, filter) => t.client.operations.start({ kind: "dead-discard", filter }),
  "operations.count()": (t, filter) => t.client.operations.count({ kind: "dead-retry", filter }),
  "operations.start() of jobs": (t, filter) =>
    t.client.operations.start({ kind: "jobs-cancel", filter }),
  "operations.start() of delayed jobs": (t, filter) =>
    t.client.operations.start({ kind: "jobs-reschedule", filter, delay: "1h" }),
};

const reads: Readonly<Record<string, (t: TestRuntime, filter: never) => Promise<unknown>>> = {
  "dead.list()": (t, filter) => t.client.dead.list(filter),
  "dead.groups()": (t, filter) => t.client.dead.groups(filter),
};

test.each(Object.entries({ ...changes, ...reads }))(
  "a pattern is no queue and no id to %s, and means no letter",
  async (name, call) => {
    await using t = await createTestRuntime({ jobs: dies });
    await withLetters(t);
    const terms = name.includes("jobs") ? ["queue"] : ["queue", "id"];
    for (const term of terms)
      for (const no of ["*", ">", "", 5])
        await expect(call(t, js({ [term]: no })), `${term} ${no}`).rejects.toMatchObject({
          code: "invalid-name",
        });
    expect(await t.client.dead.list()).toHaveLength(4);
  },
);

test.each(Object.entries(changes))(
  "a term whose value is undefined does not mean everything to %s",
  async (name, call) => {
    await using t = await createTestRuntime({ jobs: dies });
    await withLetters(t);
    for (const term of name.includes("jobs") ? ["queue", "where"] : ["queue", "id", "reason"])
      await expect(call(t, js({ [term]: undefined }))).rejects.toMatchObject({
        code: "invalid-option",
        message: expect.stringMatching(`^${term}: is undefined.*leave it out`) as string,
      });
    for (const none of [undefined, null, "all"])
      await expect(call(t, js(none))).rejects.toMatchObject({ code: "invalid-option" });
    expect(await t.client.dead.list()).toHaveLength(4);
  },
);

test("of an operation, a state that there is not means no job", async () => {
  await using t = await createTestRuntime({ jobs: dies });
  const filter = js({ state: "running!" });
  await expect(t.client.operations.count({ kind: "jobs-cancel", filter })).rejects.toMatchObject({
    code: "invalid-option",
    message: expect.stringMatching(/^state: must be one of/) as string,
  });
});

test("the newest letter is met behind hundreds of the same id", async () => {
  await using t = await createTestRuntime({ jobs: dies });
  await withLetters(t);
  const { deadLetters } = t.client.broker;
  const [letter] = await deadLetters.list({ id: "mail-a" });
  if (letter === undefined) throw new Error("no letter");
  for (let n = 1; n <= 450; n += 1) await deadLetters.add({ ...letter, attempts: n }, `again/${n}`);
  expect(await t.client.dead.show("mail-a")).toMatchObject({ attempts: 450 });
});
