// A node, the server and the dashboard itself are killed while a page is open: the page says so,
// shows nothing old as if it were of now, and goes on by itself when what was killed is back.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, defineJob, type Millrace } from "millrace";
import { expect, onTestFinished, test, vi } from "vitest";
import type { Page, Route } from "playwright-core";
import { startMillrace } from "../cli/millrace.ts";
import { violations } from "../harness/accessibility.ts";
import type { TestChild } from "../harness/child.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer, type TestServer } from "../harness/servers.ts";
import { describeInBrowser, heading, open } from "./in-browser.ts";

// A browser, a server, a node and a dashboard, each started more than once.
vi.setConfig({ testTimeout: 400_000, hookTimeout: 180_000 });

const PATIENCE_MS = 120_000;
const BANK = join(import.meta.dirname, "bank-program.ts");

const charge = defineJob<{ readonly n: number }>({ name: "billing.charge", queue: "billing" });
const settle = defineJob({ name: "books.settle", queue: "books" });

interface Scene {
  readonly client: Millrace;
  /** The command, in a process of its own. */
  ui(port?: number): Promise<{ readonly url: string; readonly process: TestChild }>;
  node(): Promise<TestChild>;
  openTheBank(): Promise<void>;
}

async function scene(server: TestServer): Promise<Scene> {
  const namespace = server.namespace();
  const folder = await mkdtemp(join(tmpdir(), "millrace-kills-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const bank = join(folder, "bank");
  const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace, BANK: bank };
  const client = await connect({ servers: server.url, namespace, env: {} });
  onTestFinished(() => client.close());
  for (const queue of ["billing", "books"]) await client.queues.ensure(queue);
  return {
    client,
    async ui(port = 0) {
      const child = startMillrace(["ui", "--ui-port", String(port), "--json"], env);
      const { url } = JSON.parse(await child.line(/"url"/, PATIENCE_MS)) as { url: string };
      return { url, process: child };
    },
    async node() {
      const child = startMillrace(["run", BANK, "--name", "worker-1"], env);
      await child.line(/running/, PATIENCE_MS);
      return child;
    },
    openTheBank: () => writeFile(bank, ""),
  };
}

async function isLive(page: Page): Promise<void> {
  await page.getByText("Live", { exact: true }).waitFor({ timeout: PATIENCE_MS });
  await page.locator(".stale").waitFor({ state: "detached" });
}

async function saysThatItIsOld(page: Page, who: string): Promise<void> {
  const said = page.getByRole("alert").filter({ hasText: `${who} since` });
  await said.waitFor({ timeout: PATIENCE_MS });
  await said.getByText("What is shown is from before that.").waitFor();
  expect(await page.getByText("Live", { exact: true }).count()).toBe(0);
}

const enqueue = (client: Millrace, count: number): Promise<unknown> =>
  client.enqueueMany(
    charge,
    Array.from({ length: count }, (_, n) => ({ input: { n } })),
  );

/** Their ids, as often as each is on record; each has died before. */
async function succeededIn(client: Millrace, count: number): Promise<readonly string[]> {
  const ends = await client.jobs.list({ queue: "billing", limit: count * 3 });
  return ends.filter(({ state }) => state === "succeeded").map(({ id }) => id);
}

describeInBrowser("kills under an open page", (browserOf) => {
  describeServer("of the dashboard", "newest", (server) => {
    test("the server: the page says that its figures are old, one that is opened then does too, and both go on", async () => {
      const { client, ui } = await scene(server);
      await enqueue(client, 3);
      const { url } = await ui();
      const { page } = await open(browserOf(), url);
      const queued = page.getByRole("row", { name: /^billing/ }).getByRole("link");
      await queued.filter({ hasText: /^3$/ }).waitFor();
      await isLive(page);
      await server.kill();
      await saysThatItIsOld(page, "The dashboard can’t reach the server");
      expect(await violations(page)).toEqual([]);
      const { page: late } = await open(browserOf(), url);
      await late
        .getByRole("alert")
        .filter({ hasText: "The dashboard can’t reach the server. The page goes on by itself" })
        .waitFor();
      await server.restart();
      await enqueue(client, 2);
      for (const one of [page, late]) {
        await isLive(one);
        const row = one.getByRole("row", { name: /^billing/ }).getByRole("link");
        await row.filter({ hasText: /^5$/ }).waitFor();
      }
    });

    test("a node that stalls: its job is with one that is not heard of, then lost, and then it goes on", async () => {
      const { client, ui, node, openTheBank } = await scene(server);
      const stalled = await node();
      await client.enqueue(settle, undefined, { id: "s-1" });
      const { url } = await ui();
      const { page, trouble } = await open(browserOf(), url);
      const books = page.getByRole("row", { name: /^books/ });
      await books.getByRole("link", { name: "1", exact: true }).waitFor();
      await stalled.freeze();
      await books.getByText("1 not heard of").waitFor();
      await page.getByRole("link", { name: /^Node worker-1 has not been heard of for/ }).waitFor();
      await books.getByRole("link", { name: "books" }).click();
      const said = page.getByText(/^1 job that counts as running is/);
      await said.filter({ hasText: /with a node that is not heard of for [\d.]+s/ }).waitFor();
      expect(await violations(page)).toEqual([]);
      await said.filter({ hasText: /lost: their node is not heard of for [\d.]+s/ }).waitFor();
      await page.getByText("1 lost", { exact: true }).waitFor();
      expect(await violations(page)).toEqual([]);
      await page.getByRole("link", { name: "Overview" }).click();
      await page.getByRole("link", { name: "1 job of queue books is lost." }).waitFor();
      await books.getByText("1 lost").waitFor();
      await books.getByRole("link", { name: "1", exact: true }).click();
      await page.getByText(/^its node is not heard of for/).waitFor();
      stalled.signal("SIGCONT");
      await openTheBank();
      await eventually(async () => (await client.job("s-1")).state === "succeeded", {
        ...{ withinMs: PATIENCE_MS, describe: "the job has succeeded" },
      });
      await page.goto(`${url}queues/books`);
      await heading(page, "Queue books");
      await said.waitFor({ state: "detached" });
      expect(trouble).toEqual([]);
    });

    test.each([
      { status: 502, body: "no" },
      { status: 200, contentType: "text/html", body: "<h1>Sign in</h1>" },
    ])(
      "a proxy that answers $status in the place of a dashboard that is away: the page comes back by itself",
      async (answer) => {
        const { ui } = await scene(server);
        const { url } = await ui();
        const { page } = await open(browserOf(), url);
        await page.route("**/api/**", (route) => route.fulfill(answer));
        await page.goto(`${url}queues/billing`);
        await page
          .getByRole("alert")
          .filter({ hasText: "The dashboard can’t be reached. The page goes on by itself" })
          .waitFor();
        await page.unroute("**/api/**");
        await isLive(page);
      },
    );

    test("a proxy that lets no stream through: the page says that it asks, shows what is new, and is live once it can be", async () => {
      const { client, ui } = await scene(server);
      const { url } = await ui();
      const { page } = await open(browserOf(), "about:blank");
      const held: Route[] = [];
      await page.route("**/api/live", (route) => void held.push(route));
      await page.goto(url);
      await page.getByText("Asks every 5 s", { exact: true }).waitFor();
      await enqueue(client, 2);
      const row = page.getByRole("row", { name: /^billing/ }).getByRole("link");
      await row.filter({ hasText: /^2$/ }).waitFor();
      expect(await page.locator(".stale").count()).toBe(0);
      expect(await violations(page)).toEqual([]);
      expect(held.length).toBeGreaterThan(0);
      await page.unroute("**/api/live");
      await isLive(page);
    });

    test("a node: the page says that it is silent, and the job that it had is seen to its end", async () => {
      const { client, ui, node, openTheBank } = await scene(server);
      const first = await node();
      const { url } = await ui();
      await client.enqueue(settle, undefined, { id: "books-1" });
      const { page, trouble } = await open(browserOf(), url);
      await page.goto(`${url}jobs/books/books-1`);
      await heading(page, "Job books-1");
      await page.getByText("running", { exact: true }).first().waitFor();
      const { page: overview } = await open(browserOf(), url);
      await isLive(overview);
      await first.kill();
      await overview
        .getByRole("link", { name: /^Node worker-1 has not been heard of for/ })
        .waitFor({ timeout: PATIENCE_MS });
      await node();
      await overview
        .getByRole("link", { name: /^Node worker-1 has not been heard of for/ })
        .waitFor({ state: "detached", timeout: PATIENCE_MS });
      await openTheBank();
      const result = page.getByRole("region", { name: "Result as JSON" });
      await result.getByText("settled").waitFor({ timeout: PATIENCE_MS });
      expect(trouble).toEqual([]);
    });

    test("the dashboard, within an operation: the page says so, and the operation ends when it is back, each job once", async () => {
      const { client, ui, node, openTheBank } = await scene(server);
      const count = 1_000;
      await node();
      await enqueue(client, count);
      await eventually(async () => (await client.jobs.count({ state: "dead" })) === count, {
        ...{ withinMs: PATIENCE_MS, describe: "all have died" },
      });
      await openTheBank();
      const first = await ui();
      const { page } = await open(browserOf(), `${first.url}errors?queue=billing`);
      const cause = page.getByRole("row", { name: /billing\.charge/ });
      await cause
        .getByRole("link")
        .filter({ has: page.locator("strong") })
        .click();
      await page.getByRole("button", { name: "Retry all" }).click();
      const dialog = page.getByRole("dialog", { name: /^Retry 1,000 dead letters/ });
      await dialog.getByRole("button", { name: "Retry all" }).click();
      await heading(page, "Retry dead letters");
      const id = new URL(page.url()).pathname.split("/").at(-1) ?? "";
      await eventually(async () => (await client.operations.get(id)).done > 0, {
        ...{ withinMs: PATIENCE_MS, everyMs: 10, describe: "the dashboard is at it" },
      });
      await first.process.kill();
      const left = await client.operations.get(id);
      expect(left).toMatchObject({ progress: { state: "running" } });
      expect(left.done).toBeLessThan(count);
      await saysThatItIsOld(page, "The dashboard can’t be reached");
      // What is asked for now is not taken for done.
      await page.getByRole("button", { name: "Stop" }).click();
      const stop = page.getByRole("dialog", { name: "Stop this operation?" });
      await stop.getByRole("button", { name: "Stop" }).click();
      await stop
        .getByRole("alert")
        .filter({ hasText: "Nobody knows whether the change was made" })
        .waitFor();
      await stop.getByRole("button", { name: "Keep as it is" }).click();
      await ui(Number(new URL(first.url).port));
      await isLive(page);
      await page
        .getByText("1,000 of 1,000 done", { exact: true })
        .waitFor({ timeout: PATIENCE_MS });
      await eventually(async () => (await succeededIn(client, count)).length >= count, {
        ...{ withinMs: PATIENCE_MS, describe: "all have run again, to their end" },
      });
      expect(await client.jobs.count({ state: "dead" })).toBe(0);
      const succeeded = await succeededIn(client, count);
      expect(succeeded).toHaveLength(count);
      expect(new Set(succeeded).size).toBe(count);
      expect(await client.audit.list()).toMatchObject([
        { id, action: "dead retry", outcome: { state: "done", count, failed: 0 } },
      ]);
    });
  });
});
