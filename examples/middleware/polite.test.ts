import { createTestRuntime } from "millrace/testing";
import { expect, test } from "vitest";
import { fetchPage, reported } from "./polite.ts";

test("the policy decides the waits, and the middleware sees every attempt", async () => {
  const answers = ["503 unavailable", "429 too many requests", "200"];
  const lines: string[] = [];
  await using t = await createTestRuntime({
    jobs: [
      fetchPage.handler(({ attempt }) => {
        const answer = answers[attempt - 1] ?? "200";
        if (answer !== "200") throw new Error(answer);
        return answer;
      }),
    ],
    middleware: [reported((line) => lines.push(line))],
  });
  const startedAt = t.clock.now();
  const handle = await t.enqueue(fetchPage, { url: "https://example.com" });
  await t.drain();

  await t.assertSucceeded(handle);
  expect(lines).toEqual([
    "page.fetch attempt 1: 503 unavailable",
    "page.fetch attempt 2: 429 too many requests",
    "page.fetch attempt 3: done",
  ]);
  expect(t.clock.now() - startedAt).toBe(1_000 + 600_000);
});

test("a page that is gone is never fetched again", async () => {
  await using t = await createTestRuntime({
    jobs: [fetchPage.handler(() => Promise.reject(new Error("404 gone")))],
  });
  const handle = await t.enqueue(fetchPage, { url: "https://example.com" });
  await t.drain();
  expect(await t.assertDead(handle)).toMatchObject({ attempts: 1 });
});
