// A fleet with something on each page, and how the pages of it are opened.
import { createNode, defineJob } from "millrace";
import type { Page } from "playwright-core";
import { onTestFinished } from "vitest";
import { eventually } from "../harness/deadline.ts";
import type { TestServer } from "../harness/servers.ts";
import { ask, charge, type Fleet, fleet, send } from "./browser-fleet.ts";

const PATIENCE_MS = 60_000;
const slow = defineJob({ name: "slow.work", queue: "slow", singleton: true });
const split = defineJob({ name: "splits.split", queue: "splits" });
const splits = split.handler(async ({ enqueue }) => {
  await enqueue(send, { to: "bob" }, { id: "child" });
});

export const PAGES = [
  ...["", "queues/mail", "jobs", "jobs?state=delayed&queue=mail", "jobs/billing/dies", "errors"],
  ...["jobs/mail/letter-1", "jobs/slow/runs", "schedules", "machines", "machines/claim/c-1"],
  ...["machines/runtime", "nodes", "limits", "operations", "audit", "outbox", "doctor"],
  ...["jobs/slow/waits", "jobs/mail/later", "jobs/splits/splits", "machines?machine=claim"],
];

/** A fleet with something on each page. */
export async function busy(server: TestServer): Promise<Fleet> {
  const made = await fleet(server);
  const { client, connection } = made;
  const end = Promise.withResolvers<void>();
  const node = await createNode({
    ...{ ...connection, nodeName: "worker-2", jobs: [slow.handler(() => end.promise), splits] },
  });
  onTestFinished(() => node.stop());
  onTestFinished(() => end.resolve());
  await node.start();
  await client.enqueue(charge, { customer: "ann", amount: 1 }, { id: "dies" });
  await client.enqueue(ask, undefined, { id: "letter-1" });
  await client.enqueue(slow, undefined, { id: "runs" });
  await client.enqueue(slow, undefined, { id: "waits" });
  await client.enqueue(send, { to: "ann" }, { id: "later", delay: "2h" });
  await client.enqueue(split, undefined, { id: "splits" });
  await client.queues.set("mail", { concurrency: 5 });
  await eventually(async () => (await client.job("dies")).state === "dead", {
    ...{ withinMs: PATIENCE_MS, describe: "a job has died" },
  });
  return made;
}

export async function isThere(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.getByText("Live", { exact: true }).waitFor();
  await page.getByText("Loading…").first().waitFor({ state: "detached" });
}
