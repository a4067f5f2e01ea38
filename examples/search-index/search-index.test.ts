import { createTestRuntime } from "millrace/testing";
import { expect, test } from "vitest";
import { reindexing, save } from "./search-index.ts";

test("ten saves in a row are one update of the index, with the last text; another document is its own", async () => {
  const updates: string[] = [];
  const index = {
    put: async (document: string, text: string) => void updates.push(`${document}: ${text}`),
  };
  await using t = await createTestRuntime({ jobs: [reindexing(index)] });
  for (let n = 1; n <= 10; n += 1) {
    expect(await save(t.client, "novel", `draft ${n}`)).toMatch(n === 1 ? /^saved$/ : /gives way$/);
    await t.clock.advance("1s");
  }
  await save(t.client, "poem", "first line");
  expect(updates).toEqual([]);
  await t.drain();
  expect(updates).toEqual(["novel: draft 10", "poem: first line"]);
});

test("a save during an update leads to another one", async () => {
  const updates: string[] = [];
  const { promise: written, resolve: write } = Promise.withResolvers<void>();
  const index = {
    put: async (_document: string, text: string) => {
      updates.push(text);
      if (updates.length === 1) await written;
    },
  };
  await using t = await createTestRuntime({ jobs: [reindexing(index)] });
  await save(t.client, "novel", "one");
  await t.clock.advance("2s");
  expect(await save(t.client, "novel", "two")).toBe("saved");
  write();
  await t.drain();
  expect(updates).toEqual(["one", "two"]);
});
