// The buttons of pages, pressed by an operator: each change is seen on the page, in the fleet and
// in the audit. test/dashboard/clicked-actions.test.ts finds a button that no test presses.
import { createNode, defineJob } from "millrace";
import type { Locator, Page } from "playwright-core";
import { expect, onTestFinished, test, vi } from "vitest";
import type { OverviewView } from "../../packages/dashboard/src/api/views/views.ts";
import { violations } from "../harness/accessibility.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { claim } from "./claim.ts";
import { charge, COUNT, fleet, send } from "./browser-fleet.ts";
import { answerTo, describeInBrowser, heading, open } from "./in-browser.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const PATIENCE_MS = 60_000;
const books = defineJob({ name: "books.close", queue: "books" });

interface Pressed {
  readonly label: string;
  /** The whole of it: what will be done, and to which. */
  readonly question: string;
  readonly why?: string;
}

/** Presses a button, reads what it would do, gives a reason where one is asked for, and does it. */
async function act(page: Page, within: Page | Locator, pressed: Pressed): Promise<void> {
  const { label, question, why } = pressed;
  await within.getByRole("button", { name: label, exact: true }).click();
  const dialog = page.getByRole("dialog", { name: question, exact: true });
  await dialog.waitFor();
  if (why !== undefined) await dialog.getByLabel(/^Why/).fill(why);
  await dialog.getByRole("button", { name: label, exact: true }).click();
  await dialog.waitFor({ state: "hidden" });
}

describeInBrowser("buttons of the dashboard", (browserOf) => {
  describeServer("of a fleet", "newest", (server) => {
    test("a node is quieted, resumed and stopped", async () => {
      const { client, connection, served } = await fleet(server);
      const node = await createNode({
        ...{ ...connection, nodeName: "worker-2", jobs: [books.handler(() => {})] },
      });
      onTestFinished(() => node.stop());
      await node.start();
      const { page, trouble } = await open(browserOf(), served.url);
      await page.goto(`${served.url}nodes`);
      await heading(page, "Nodes");
      const row = page.getByRole("row").filter({ hasText: "worker-2" });
      await act(page, row, {
        ...{ label: "Quiet", question: "Quiet the node worker-2?", why: "a deploy" },
      });
      await page.getByText("worker-2 takes no new jobs.").waitFor();
      await row.getByText("quiet", { exact: true }).waitFor();
      // Who comes later sees who it was, and why.
      await row.getByText(/ by ada@example\.com: a deploy$/).waitFor();
      await client.enqueue(books, undefined, { id: "b-1" });
      await act(page, row, { label: "Resume", question: "Resume the node worker-2?" });
      await page.getByText("worker-2 takes jobs again.").waitFor();
      await row.getByText("running", { exact: true }).waitFor();
      await row.getByText(/ by ada@example\.com/).waitFor({ state: "detached" });
      await eventually(async () => (await client.job("b-1")).state === "succeeded", {
        ...{ withinMs: PATIENCE_MS, describe: "the job that waited has run" },
      });
      await row.getByRole("button", { name: "Stop" }).click();
      const stop = page.getByRole("dialog", { name: "Stop the node worker-2?" });
      await stop.getByText(/^0 jobs run on it now/).waitFor();
      await stop.getByRole("button", { name: "Keep as it is" }).click();
      await act(page, row, {
        ...{ label: "Stop", question: "Stop the node worker-2?", why: "not needed" },
      });
      await page.getByText("worker-2 is stopping.").waitFor();
      await page.getByRole("button", { name: "Close" }).click();
      await page.getByText("worker-2 is stopping.").waitFor({ state: "detached" });
      await row.getByRole("button", { name: "Quiet" }).waitFor({ state: "detached" });
      expect(await client.audit.list()).toMatchObject([
        { action: "nodes stop", by: "ada@example.com", reason: "not needed" },
        { action: "nodes resume", by: "ada@example.com" },
        { action: "nodes quiet", by: "ada@example.com", reason: "a deploy" },
      ]);
      expect(trouble).toEqual([]);
    });

    test("a node that can't settle its jobs says which and why where the overview leads to", async () => {
      const { served } = await fleet(server);
      const { page, trouble } = await open(browserOf(), served.url);
      const text = "Node worker-1 can't settle 2 jobs.";
      await page.route("**/api/overview", async (route) => {
        const answer = await answerTo(route);
        const view = (await answer.json()) as OverviewView;
        const nodes = view.nodes.map((node) => ({
          ...node,
          queues: node.queues.map((queue) =>
            queue.queue === "mail" ? { ...queue, stuck: 2, stuckBy: "no space left" } : queue,
          ),
        }));
        const problems = [{ severity: "critical", text, link: "nodes" } as const];
        await route.fulfill({ response: answer, json: { ...view, nodes, problems } });
      });
      await page.reload();
      await page.getByRole("link", { name: text }).click();
      await heading(page, "Nodes");
      const row = page.getByRole("row").filter({ hasText: "worker-1" });
      await row.getByText("can’t settle 2 jobs of mail: no space left").waitFor();
      expect(await violations(page)).toEqual([]);
      expect(trouble).toEqual([]);
    });

    test("a schedule is run now, paused and resumed", async () => {
      const { client, served } = await fleet(server);
      const { page, trouble } = await open(browserOf(), served.url);
      await page.goto(`${served.url}schedules`);
      const card = page.getByRole("article", { name: "newsletter" });
      await act(page, card, {
        ...{ label: "Run now", question: "Enqueue the job of newsletter now?" },
      });
      const said = await page.getByText(/^Enqueued .+\.$/).innerText();
      const id = said.slice("Enqueued ".length, -1);
      await eventually(async () => (await client.job(id)).state === "succeeded", {
        ...{ withinMs: PATIENCE_MS, describe: "its job has run" },
      });
      expect(await client.job(id)).toMatchObject({ name: "mail.send", result: { sent: "all" } });
      await act(page, card, { label: "Pause", question: "Pause the schedule newsletter?" });
      await page.getByText("newsletter is paused.").waitFor();
      await card.locator("dd").getByText("paused", { exact: true }).waitFor();
      await act(page, card, { label: "Resume", question: "Resume the schedule newsletter?" });
      await page.getByText("newsletter is active.").waitFor();
      await card.locator("dd").getByText("paused", { exact: true }).waitFor({ state: "detached" });
      expect((await client.audit.list()).map(({ action }) => action)).toEqual([
        ...["cron resume", "cron pause", "cron run"],
      ]);
      expect(trouble).toEqual([]);
    });

    test("a queue is paused, purged of what waits, and resumed; the audit says who did it and why", async () => {
      const { client, served } = await fleet(server);
      const { page, trouble } = await open(browserOf(), served.url);
      await page.goto(`${served.url}queues/mail`);
      await act(page, page, {
        ...{ label: "Pause", question: "Pause the queue mail?", why: "the bank is away" },
      });
      await page.getByText(/^Paused .* by ada@example.com: the bank is away$/).waitFor();
      for (const id of ["m-1", "m-2", "m-3"]) await client.enqueue(send, { to: id }, { id });
      await page.getByRole("link", { name: "3", exact: true }).first().waitFor();
      // No node takes out what an operation cancels now, and its question says so.
      await page.getByRole("button", { name: "Purge", exact: true }).click();
      const slow = page.getByRole("dialog", { name: "Cancel all jobs that wait in mail?" });
      await slow.getByText("3 jobs match now.").waitFor();
      await slow.getByText(/The queue is paused. Cancelled jobs stay in it/).waitFor();
      await slow.getByRole("button", { name: "Keep as it is" }).click();
      await act(page, page, {
        ...{ label: "Purge at once", question: "Cancel 3 waiting jobs of mail at once?" },
      });
      await page.getByText("3 jobs of mail cancelled.").waitFor();
      expect(await client.job("m-2")).toMatchObject({ state: "cancelled" });
      // The one for later stays.
      expect(await client.jobs.count({ state: "delayed" })).toBe(1);
      await act(page, page, { label: "Resume", question: "Resume the queue mail?" });
      await page.getByText("mail is active.").waitFor();
      await page.getByRole("link", { name: "Audit" }).click();
      await heading(page, "Audit");
      const rows = page.getByRole("region", { name: "Changes, table" }).locator("tbody tr");
      const whats = (): Promise<readonly string[]> =>
        rows.locator("td:nth-child(3)").allInnerTexts();
      await expect
        .poll(whats, { timeout: PATIENCE_MS })
        .toEqual(["queues resume", "queues purge", "queues pause"]);
      expect(await rows.nth(2).innerText()).toMatch(/ada@example\.com.*the bank is away/s);
      expect(await rows.nth(1).innerText()).toMatch(/ada@example\.com.*mail.*3 /s);
      await page.getByRole("button", { name: "what", exact: true }).click();
      await expect
        .poll(whats, { timeout: PATIENCE_MS })
        .toEqual(["queues pause", "queues purge", "queues resume"]);
      expect(trouble).toEqual([]);
    });

    test("a job for later is cancelled; a dead one lives again, another is discarded", async () => {
      const { client, served, bankIsUp } = await fleet(server);
      await client.enqueue(send, { to: "ann" }, { id: "later", delay: "3h" });
      for (const id of ["again", "gone"])
        await client.enqueue(charge, { customer: "ann", amount: 1 }, { id });
      await eventually(async () => (await client.jobs.count({ state: "dead" })) === COUNT + 2, {
        ...{ withinMs: PATIENCE_MS, describe: "both are dead" },
      });
      const { page, trouble } = await open(browserOf(), served.url);
      await page.goto(`${served.url}jobs/mail/later`);
      await act(page, page, {
        ...{ label: "Cancel", question: "Cancel the job later?", why: "she has left" },
      });
      await page.getByText("later is being cancelled.").waitFor();
      await page.getByText("cancelled", { exact: true }).first().waitFor();
      await page.getByRole("button", { name: "Cancel" }).waitFor({ state: "detached" });
      bankIsUp();
      await page.goto(`${served.url}jobs/billing/again`);
      await act(page, page, {
        ...{ label: "Enqueue again", question: "Give the job again a new life?" },
      });
      await page.getByText("1 job enqueued again.").waitFor();
      await page.getByRole("region", { name: "Result as JSON" }).waitFor();
      await page.goto(`${served.url}jobs/billing/gone`);
      await act(page, page, {
        ...{ label: "Discard", question: "Discard the dead letter of gone?" },
      });
      await page.getByText("1 letter discarded.").waitFor();
      await page.getByRole("button", { name: "Discard" }).waitFor({ state: "detached" });
      expect(await client.dead.list({ where: "id=gone OR id=again" })).toEqual([]);
      const before = await client.audit.list();
      await page.getByRole("link", { name: "How far it is, and undo" }).click();
      await act(page, page, { label: "Undo", question: "Put 1 dead letter back?" });
      await eventually(async () => (await client.dead.list({ id: "gone" })).length === 1, {
        ...{ withinMs: PATIENCE_MS, describe: "the letter is there again" },
      });
      expect(before).toMatchObject([
        ...[{ action: "dead discard" }, { action: "dead retry" }],
        { action: "jobs cancel", by: "ada@example.com", reason: "she has left" },
      ]);
      expect(trouble).toEqual([]);
    });

    test("a job that expired has its dead letter on its page and lives again, alone or with all that did", async () => {
      const { client, connection, served, search } = await fleet(server);
      await client.queues.ensure("books");
      const expired = Date.now() + 1_000;
      await client.enqueueMany(
        books,
        ["late-1", "late-2"].map((id) => ({ input: undefined, id, expiresIn: "50ms" })),
      );
      await eventually(() => Date.now() > expired, {
        ...{ withinMs: PATIENCE_MS, describe: "their time is over" },
      });
      const node = await createNode({
        ...{ ...connection, nodeName: "worker-2", jobs: [books.handler(() => {})] },
      });
      onTestFinished(() => node.stop());
      await node.start();
      const isNow = (id: string, state: string) =>
        eventually(async () => (await client.job(id)).state === state, {
          ...{ withinMs: PATIENCE_MS, describe: `${id} is ${state}` },
        });
      for (const id of ["late-1", "late-2"]) await isNow(id, "expired");
      await search.caughtUp();
      const { page, trouble } = await open(browserOf(), served.url);
      await page.goto(`${served.url}jobs/books/late-1`);
      await page.getByText(/^Kept for/).waitFor();
      await page.getByText(/did not start before its expiry/).waitFor();
      expect(await violations(page)).toEqual([]);
      await act(page, page, {
        ...{ label: "Enqueue again", question: "Give the job late-1 a new life?" },
      });
      await isNow("late-1", "succeeded");
      await page.goto(`${served.url}jobs?state=expired`);
      await page.getByRole("button", { name: "Retry all that match" }).click();
      const question = page.getByRole("dialog", { name: "Retry all expired jobs of all queues?" });
      await question.getByText("1 expired job can be retried now.").waitFor();
      await question.getByRole("button", { name: "Retry all that match" }).click();
      await heading(page, "Retry dead letters");
      await isNow("late-2", "succeeded");
      expect(await client.jobs.count({ state: "dead" })).toBe(COUNT);
      expect(trouble).toEqual([]);
    });

    test("what was discarded is put back, what was retried dies again, and the index is made anew", async () => {
      const { client, served } = await fleet(server);
      const { page, trouble } = await open(browserOf(), served.url);
      const dead = (): Promise<number> => client.jobs.count({ state: "dead" });
      await client.queues.pause("billing");
      for (const { label, question, done, undo } of [
        {
          ...{ label: "Discard all", question: `Discard ${COUNT} dead letters?`, done: "Discard" },
          undo: `Put ${COUNT} dead letters back?`,
        },
        {
          ...{ label: "Retry all", question: `Retry ${COUNT} dead letters?`, done: "Retry" },
          undo: `Make ${COUNT} jobs dead letters again?`,
        },
      ]) {
        await page.goto(`${served.url}errors?queue=billing`);
        await page.getByRole("link", { name: /^CardDeclined/ }).click();
        await act(page, page, { label, question });
        await heading(page, `${done} dead letters`);
        await page.getByText(`${COUNT} of ${COUNT} done`, { exact: true }).waitFor();
        await eventually(async () => (await dead()) === 0, {
          ...{ withinMs: PATIENCE_MS, describe: "no letter is left" },
        });
        await act(page, page, { label: "Undo", question: undo, why: "by mistake" });
        await page.getByText(`${COUNT} of ${COUNT} done`, { exact: true }).waitFor();
        await eventually(async () => (await dead()) === COUNT, {
          ...{ withinMs: PATIENCE_MS, describe: "all are there again" },
        });
      }
      await page.goto(`${served.url}jobs`);
      await act(page, page, { label: "Rebuild the index", question: "Read all jobs anew?" });
      await page.getByText("The index is made anew.").waitFor();
      await page.getByText(/The index has [\d,]+ jobs and is up to date/).waitFor();
      expect(trouble).toEqual([]);
    });

    test("of very many machines the next page is shown, and the first again", async () => {
      const { client, served } = await fleet(server);
      const ids = Array.from({ length: 205 }, (_, n) => `m-${String(n).padStart(3, "0")}`);
      await Promise.all(ids.map((id) => client.machine(claim, id).start({ customer: "ann" })));
      // All of them are stored: else the page would go on from where it was when some were missing.
      // One more is the fleet's own.
      const stored = async () => (await client.machines.list({ limit: 1_000 })).machines.length;
      await expect.poll(stored, { timeout: PATIENCE_MS }).toBe(206);
      const { page, trouble } = await open(browserOf(), served.url);
      await page.goto(`${served.url}machines`);
      const rows = page.getByRole("region", { name: "Machines, table" }).locator("tbody tr");
      const next = page.getByRole("button", { name: "Next page" });
      const first = page.getByRole("button", { name: "First page" });
      await expect.poll(() => rows.count(), { timeout: PATIENCE_MS }).toBe(200);
      expect(await first.isDisabled()).toBe(true);
      await next.click();
      await expect.poll(() => rows.count(), { timeout: PATIENCE_MS }).toBe(6);
      expect(await next.isDisabled()).toBe(true);
      await first.click();
      await expect.poll(() => rows.count(), { timeout: PATIENCE_MS }).toBe(200);
      await page.getByRole("button", { name: "Go to…" }).click();
      await page
        .getByRole("dialog", { name: "Go to" })
        .getByRole("option", { name: "Nodes" })
        .click();
      await heading(page, "Nodes");
      expect(trouble).toEqual([]);
    });
  });
});
