import type { Millrace } from "millrace";
import { createDashboard } from "millrace/dashboard";
import { expect, onTestFinished, test } from "vitest";
import { within } from "../harness/deadline.ts";
import { ADA, ORIGIN, scene, send } from "./scene.ts";

interface Page {
  /** The next piece of news. */
  news(): Promise<{ readonly queues: readonly string[]; readonly connected: boolean }>;
  leave(): Promise<void>;
  readonly ended: Promise<boolean>;
}

async function open(dashboard: (request: Request) => Promise<Response>): Promise<Page> {
  const response = await dashboard(new Request(`${ORIGIN}/api/live`));
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  const next = async (): Promise<string | undefined> => {
    const { done, value } = await within(reader.read(), 20_000, "the feed says something");
    return done ? undefined : decoder.decode(value);
  };
  return {
    news: async () => {
      for (;;) {
        const text = (await next()) ?? "";
        if (text.startsWith("data: ")) return JSON.parse(text.slice(6)) as never;
        if (text === "") throw new Error("the feed has ended");
      }
    },
    leave: () => reader.cancel(),
    get ended() {
      return (async () => {
        for (;;) if ((await next()) === undefined) return true;
      })();
    },
  };
}

/** The client, and how many readers follow the history through it. */
function counted(client: Millrace) {
  let following = 0;
  const watch: Millrace["jobs"]["watch"] = (query) => {
    following += 1;
    query?.signal?.addEventListener("abort", () => (following -= 1), { once: true });
    return client.jobs.watch(query);
  };
  const millrace = { ...client, jobs: { ...client.jobs, watch }, status: client.status };
  return { millrace, following: () => following };
}

test("three pages hear of a job that ended through one reader, which goes some time after them", async () => {
  const { t } = await scene();
  const { millrace, following } = counted(t.client);
  const dashboard = createDashboard({ millrace, clock: t.clock, authorize: () => ADA });
  onTestFinished(() => dashboard.close());
  const pages = await Promise.all([1, 2, 3].map(() => open(dashboard)));
  for (const page of pages)
    expect(await page.news()).toEqual({ queues: [], jobs: [], connected: true });
  await t.enqueue(send, { n: 1 });
  await t.drain();
  await t.clock.advance("1s");
  for (const page of pages)
    expect(await page.news()).toMatchObject({ queues: ["mail"], connected: true });
  expect(following()).toBe(1);
  for (const page of pages) await page.leave();
  await t.clock.advance("1m");
  expect(following()).toBe(1);
  await t.clock.advance("10m");
  expect(following()).toBe(0);
});

test("the feed of a page ends with the dashboard", async () => {
  const { t } = await scene();
  const dashboard = createDashboard({ millrace: t.client, clock: t.clock, authorize: () => ADA });
  const page = await open(dashboard);
  await dashboard.close();
  expect(await page.ended).toBe(true);
});
