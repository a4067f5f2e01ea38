import { defineJob } from "@millrace/core";
import { expect, onTestFinished, test } from "vitest";
import { createTestRuntime } from "../../testing/test-runtime.ts";
import type { Millrace } from "../millrace.ts";

const ID = "j-1";
const JOB = { id: ID, name: "mail.send", queue: "mail" } as const;
const NATIVE = {
  pdf: new Uint8Array([37, 80, 68, 70]),
  at: new Date(1_700_000_000_123),
  score: Number.NaN,
  most: Number.POSITIVE_INFINITY,
  least: Number.NEGATIVE_INFINITY,
  measures: [1, Number.NaN, new Date(5), new Uint8Array(3)],
};

interface Scene {
  readonly client: Millrace;
  /** What the job was given in its newest life. */
  readonly seen: () => Promise<unknown>;
}

/** A job that has died of its payload. */
async function dead(input: unknown): Promise<Scene> {
  const inputs: unknown[] = [];
  const job = defineJob<unknown>({ name: JOB.name, queue: JOB.queue, retry: "none" });
  const t = await createTestRuntime({
    jobs: [
      job.handler((given) => {
        inputs.push(given.input);
        throw new Error("no such address");
      }),
    ],
  });
  onTestFinished(() => t.stop());
  await t.enqueue(job, input, { id: ID });
  await t.drain();
  return {
    client: t.client,
    seen: async () => {
      await t.drain();
      return inputs.at(-1);
    },
  };
}

test("what changes is merged with bytes, times and numbers that JSON has no form for", async () => {
  const { client, seen } = await dead({ to: "nobody", ...NATIVE, deep: { ...NATIVE, n: 1 } });
  await client.dead.edit(ID, { to: "ada", deep: { n: 2 } }, { merge: true });
  expect(await seen()).toEqual({ to: "ada", ...NATIVE, deep: { ...NATIVE, n: 2 } });
  expect(await client.dead.list()).toHaveLength(1);
});

test("what is changed takes the place of bytes and times, and is not merged with them", async () => {
  const { client, seen } = await dead({ to: "ada", ...NATIVE });
  await client.dead.edit(ID, { pdf: { url: "x" }, at: { ms: 5 }, score: null }, { merge: true });
  const { score: _, ...rest } = NATIVE;
  expect(await seen()).toEqual({ to: "ada", ...rest, pdf: { url: "x" }, at: { ms: 5 } });
});

test("what changes may be bytes, times and whatever else can be sent", async () => {
  class Address {
    readonly to = "ada";
  }
  const { client, seen } = await dead({ to: "nobody", at: "soon", n: 1, url: null, kept: true });
  const url = new URL("https://example.com/");
  const changes = { ...NATIVE, to: new Address(), url, kept: undefined };
  await client.dead.edit(ID, changes, { merge: true });
  expect(await seen()).toEqual({ ...NATIVE, n: 1, to: { to: "ada" }, url: url.href, kept: true });
});

test.each<[string, unknown]>([
  ["a list", [1, 2]],
  ["a text", "nobody"],
  ["a number", 7],
  ["bytes", new Uint8Array(3)],
  ["a time", new Date(5)],
])("fields of %s can't be changed, and the letter stays", async (_what, payload) => {
  const { client, seen } = await dead(payload);
  await expect(client.dead.edit(ID, {}, { merge: true })).rejects.toMatchObject({
    code: "invalid-payload",
    message: expect.stringContaining("whole") as string,
  });
  expect(await client.dead.list()).toHaveLength(1);
  await client.dead.edit(ID, "ada", { merge: true });
  expect(await seen()).toBe("ada");
});

test("a payload that is null has no fields yet", async () => {
  const { client, seen } = await dead(null);
  await client.dead.edit(ID, { to: "ada" }, { merge: true });
  expect(await seen()).toEqual({ to: "ada" });
});
