import { connect, createNode, defineJob, defineSchedule } from "millrace";
import { serveDashboard } from "millrace/dashboard";
import { expect, onTestFinished, test, vi } from "vitest";
import { violations } from "../harness/accessibility.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { fleet } from "./browser-fleet.ts";
import { describeInBrowser, heading, open } from "./in-browser.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const PHONE = { width: 390, height: 800 };
const away = defineJob<number>({ name: "away.work", queue: "away", retry: "none" });
const EVERY_MS = 5_000;
const TICKS = { name: "beat", cron: "*/5 * * * * *", lateAfter: "1s", missed: "once" } as const;

describeInBrowser("the dashboard's schedules and drains", (browserOf) => {
  describeServer("of a fleet", "newest", (server) => {
    test("an operator changes a schedule that was added; of a node's code the page says what wins", async () => {
      const { client, served } = await fleet(server);
      const job = { job: "mail.send", queue: "mail", payload: { to: "ann" } };
      await client.cron.add({ name: "digest", cron: "0 7 * * *", ...job });
      const { page, trouble } = await open(browserOf(), served.url);
      await page.goto(`${served.url}schedules`);
      await heading(page, "Schedules");
      const code = page.getByRole("article", { name: "newsletter" });
      await code.getByText(/a node’s code, seen on worker-1 .* What the code says wins/).waitFor();
      expect(await code.getByRole("button", { name: "Change" }).count()).toBe(0);
      const added = page.getByRole("article", { name: "digest" });
      await added.getByRole("button", { name: "Change" }).press("Enter");
      const dialog = page.getByRole("dialog", { name: "Change the schedule digest?" });
      const expression = dialog.getByLabel(/^Cron expression/);
      expect(await expression.inputValue()).toBe("0 7 * * *");
      expect(await violations(page)).toEqual([]);
      await page.emulateMedia({ colorScheme: "dark" });
      expect(await violations(page)).toEqual([]);
      await expression.fill("at seven");
      await dialog.getByRole("button", { name: "Change" }).click();
      await dialog.getByRole("alert").waitFor();
      await expression.fill("30 6 * * 1-5");
      await dialog.getByLabel("Time zone that it means").fill("Europe/Berlin");
      await dialog.getByLabel(/^What is due while/).selectOption("skip");
      await dialog.getByLabel(/^Payload/).fill(`{"to":"bob"}`);
      await dialog.getByRole("button", { name: "Change" }).click();
      await page.getByText("digest is changed.").waitFor();
      await added.getByText("30 6 * * 1-5").waitFor();
      await added.getByText(/left out while the job before has not ended/).waitFor();
      const digest = (await client.cron.list()).find(({ name }) => name === "digest");
      expect(digest).toMatchObject({
        ...{ cron: "30 6 * * 1-5", timezone: "Europe/Berlin", overlap: "skip", missed: "once" },
        payload: { to: "bob" },
      });
      const [record] = await client.audit.list();
      expect(record).toMatchObject({ action: "cron change", by: "ada@example.com" });
      await page.setViewportSize(PHONE);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(PHONE.width);
      // What a form that can't be read asks for is refused, and the browser logs that.
      expect(trouble.filter((line) => !line.includes("400"))).toEqual([]);
    });

    test("a drain shows what is left and what holds it up, until the queue is empty", async () => {
      const { client, connection, served } = await fleet(server);
      await client.queues.ensure("away");
      for (const n of [1, 2, 3]) await client.enqueue(away, n);
      const { page, trouble } = await open(browserOf(), served.url);
      await page.goto(`${served.url}queues/away`);
      await page.getByRole("button", { name: "Drain" }).press("Enter");
      const dialog = page.getByRole("dialog", { name: "Drain the queue away?" });
      await dialog.getByText("Nodes run the 3 jobs in it").waitFor();
      await dialog.getByRole("button", { name: "Drain" }).click();
      await page.getByText("away is closed to producers, with 3 jobs left.").waitFor();
      const region = page.getByRole("region", { name: "Draining" });
      const parts = region.getByRole("listitem");
      await region.getByText("3 jobs are left:").waitFor();
      expect(await parts.allTextContents()).toEqual(["3 queued", "0 running", "0 blocked"]);
      await region.getByRole("progressbar", { name: /^0 of 3 jobs have ended/ }).waitFor();
      await region.getByText("No node serves it").waitFor();
      expect(await violations(page)).toEqual([]);
      await page.emulateMedia({ colorScheme: "dark" });
      expect(await violations(page)).toEqual([]);
      await page.setViewportSize(PHONE);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(PHONE.width);
      const end = Promise.withResolvers<void>();
      const handler = away.handler(({ input }) => (input === 1 ? undefined : end.promise));
      const node = await createNode({ ...connection, nodeName: "late", jobs: [handler] });
      onTestFinished(() => node.stop());
      await node.start();
      await region.getByText("2 jobs are left:").waitFor();
      await parts.filter({ hasText: "2 running" }).waitFor();
      expect(await parts.allTextContents()).toEqual(["0 queued", "2 running", "0 blocked"]);
      await region.getByRole("progressbar", { name: /^1 of 3 jobs have ended/ }).waitFor();
      expect(await client.audit.list()).toMatchObject([
        { action: "queues drain", outcome: { state: "begun" } },
      ]);
      end.resolve();
      await page.getByText("Drained and closed to producers").waitFor();
      await region.waitFor({ state: "detached" });
      await page.goto(`${served.url}audit`);
      await page.getByRole("cell", { name: "1 done" }).waitFor();
      expect(trouble).toEqual([]);
    });

    test("what was missed while no node was up is told, and how late the one was that ran for it", async () => {
      const connection = { servers: server.url, namespace: server.namespace(), env: {} };
      const client = await connect(connection);
      onTestFinished(() => client.close());
      const beat = { ...TICKS, job: away, input: 0 } as const;
      const startNode = async (nodeName: string) => {
        const jobs = [away.handler(() => undefined)];
        const node = await createNode({
          ...{ ...connection, nodeName, jobs, schedules: [defineSchedule(beat)] },
        });
        onTestFinished(() => node.stop());
        await node.start();
        return node;
      };
      const served = await serveDashboard({ millrace: client, port: 0, localName: "ada" });
      onTestFinished(() => served.close());
      const first = await startNode("first");
      const { page, trouble } = await open(browserOf(), served.url);
      await page.goto(`${served.url}schedules`);
      const card = page.getByRole("article", { name: "beat" });
      const last = card.getByRole("list", { name: "Last of beat" }).getByRole("listitem");
      await last.filter({ hasText: /fired +cron:beat/ }).waitFor();
      await first.stop();
      const { lastTick = 0 } = (await client.cron.list())[0]?.state ?? {};
      // Two ticks are missed, and the later one is late by more than a second.
      await eventually(() => Date.now() > lastTick + 2 * EVERY_MS + 2_000, {
        ...{ withinMs: 60_000, describe: "two ticks are missed" },
      });
      await startNode("second");
      await last.filter({ hasText: / fired [1-9][\d.]*s late / }).waitFor();
      await last.filter({ hasText: / skipped [1-9]\d* missed/ }).waitFor();
      await card.getByText(/fired, [1-9]\d* skipped, [1-9]\d* late/).waitFor();
      expect(await violations(page)).toEqual([]);
      await last.getByRole("link").first().click();
      await heading(page, /^Job cron:beat:/);
      await page.getByText("away.work").first().waitFor();
      expect(trouble).toEqual([]);
    });
  });
});
