import { expect, test, vi } from "vitest";
import { violations } from "../harness/accessibility.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { charge, COUNT, flaky, fleet, send, TOO_MUCH } from "./browser-fleet.ts";
import { describeInBrowser, heading, open } from "./in-browser.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const PATIENCE_MS = 60_000;
const PHONE = { width: 390, height: 800 };

describeInBrowser("the dashboard's causes and queues", (browserOf) => {
  describeServer("of a fleet", "newest", (server) => {
    test("a cause shows how often it failed over time", async () => {
      const { client, served } = await fleet(server);
      const { page, trouble } = await open(browserOf(), served.url);
      await page.goto(`${served.url}errors`);
      await heading(page, "Errors");
      await page.getByRole("columnheader", { name: "last 24h" }).waitFor();
      // Each failed twice; all in one hour, but where one has just begun.
      const bars = page.getByRole("img", {
        name: new RegExp(`^${2 * COUNT} in 24h, at most \\d+ in 1h$`),
      });
      await bars.waitFor();
      expect(await violations(page)).toEqual([]);
      await page.emulateMedia({ colorScheme: "dark" });
      expect(await violations(page)).toEqual([]);
      await page.setViewportSize(PHONE);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(PHONE.width);
      const [group] = await client.dead.groups({ queue: "billing" });
      expect(group?.perHour.reduce((sum, { count }) => sum + count, 0)).toBe(COUNT);
      expect(trouble).toEqual([]);
    });

    test("two causes of one type are told apart, and discarding one leaves the other", async () => {
      const { client, served } = await fleet(server);
      for (const n of [0, 1, 2])
        await client.enqueue(charge, { customer: "ann", amount: TOO_MUCH + n }, { id: `big-${n}` });
      await eventually(async () => (await client.jobs.count({ state: "dead" })) === COUNT + 3, {
        withinMs: PATIENCE_MS,
        describe: "those of too much are dead",
      });
      const { page, trouble } = await open(browserOf(), served.url);
      await page.goto(`${served.url}errors?queue=billing`);
      await page
        .getByText(`${2 * (COUNT + 3)} failed attempts and ${COUNT + 3} dead letters of 2 causes.`)
        .waitFor();
      const row = page
        .getByRole("row")
        .filter({ hasText: "The bank wants to be asked before it pays *" });
      await row.getByText(/browser-fleet/).waitFor();
      await row.getByRole("link", { name: "worker-1" }).waitFor();
      await row.getByRole("link", { name: /^CardDeclined/ }).press("Enter");
      await heading(page, /^CardDeclined.* in billing$/);
      await page.getByText("The bank wants to be asked before it pays *").waitFor();
      await page.getByRole("link", { name: "big-0", exact: true }).waitFor();
      expect(await page.getByRole("link", { name: /^big-/ }).count()).toBeGreaterThanOrEqual(3);
      const groups = await client.dead.groups();
      const fingerprint = groups.find(({ count }) => count === 3)?.fingerprint ?? "none";
      expect(new URL(page.url()).searchParams.get("fingerprint")).toBe(fingerprint);
      await page.getByText(fingerprint, { exact: true }).waitFor();
      // The node on which they died leads to the letters that it left.
      const diedOn = page.locator("dd").filter({ hasText: "worker-1 6 times" });
      await diedOn.getByRole("link", { name: "worker-1" }).click();
      await page.getByText(`Only letters that fit node:"worker-1".`).waitFor();
      await page.getByText("3 dead letters now").waitFor();
      await page.getByRole("link", { name: "All of this cause" }).click();
      await page.getByText(`Only letters that fit`).waitFor({ state: "detached" });
      expect(await violations(page)).toEqual([]);
      await page.emulateMedia({ colorScheme: "dark" });
      expect(await violations(page)).toEqual([]);
      await page.setViewportSize(PHONE);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(PHONE.width);
      await page.getByRole("button", { name: "Discard all" }).press("Enter");
      const dialog = page.getByRole("dialog", { name: "Discard 3 dead letters?" });
      await dialog.getByRole("button", { name: "Discard all" }).click();
      await heading(page, "Discard dead letters");
      await page.getByText("3 of 3 done", { exact: true }).waitFor();
      expect((await client.dead.groups()).map(({ count }) => count)).toEqual([COUNT]);
      const where = `fingerprint:${fingerprint}`;
      expect(await client.dead.list({ where })).toEqual([]);
      // An address without a fingerprint means all letters of the type.
      const error = groups[0]?.error ?? "";
      const of = { queue: "billing", name: "billing.charge", reason: "attempts-exhausted", error };
      await page.goto(`${served.url}errors/cause?${new URLSearchParams(of).toString()}`);
      await page.getByText(`${COUNT} dead letters now`).waitFor();
      expect(trouble).toEqual([]);
    });

    test("what failed and succeeded later is a cause: its plot, its stack and its jobs, and nothing to retry", async () => {
      const { client, served, search } = await fleet(server);
      await client.enqueueMany(
        flaky,
        [7, 8].map((tray) => ({ input: { page: tray }, id: `page-${tray}` })),
      );
      await eventually(async () => (await client.job("page-8")).state === "succeeded", {
        withinMs: PATIENCE_MS,
        describe: "the pages are printed",
      });
      await search.caughtUp();
      const { page, trouble } = await open(browserOf(), served.url);
      await page.getByRole("link", { name: "Errors" }).click();
      await heading(page, "Errors");
      const row = page.getByRole("row").filter({ hasText: "OutOfPaper" });
      await row.getByRole("img", { name: /^4 in 24h/ }).waitFor();
      expect(await row.getByRole("cell").allTextContents()).toEqual(
        expect.arrayContaining(["4", "0", "2", "paper.print", "mail", "worker-1"]),
      );
      // Only what has dead letters, and all again.
      await page.getByLabel("Show").selectOption("only");
      await row.waitFor({ state: "detached" });
      await page.getByRole("row").filter({ hasText: "CardDeclined" }).waitFor();
      await page.getByLabel("Show").selectOption("");
      await row.getByRole("link", { name: "OutOfPaper" }).click();
      await heading(page, "OutOfPaper in mail");
      await page.getByText("4 failed attempts").waitFor();
      await page.getByText("0 dead letters now").waitFor();
      await page
        .getByText("In the last 24 hours 4 failed; 0 of them were the last of their job.")
        .waitFor();
      await page.getByRole("region", { name: "Stack of the last one" }).waitFor();
      await page.getByText("stay as they are.").waitFor();
      await page.getByText("No letter of this cause is left.").waitFor();
      for (const name of ["Retry all", "Discard all"])
        expect(await page.getByRole("button", { name }).count()).toBe(0);
      expect(await violations(page)).toEqual([]);
      await page.emulateMedia({ colorScheme: "dark" });
      expect(await violations(page)).toEqual([]);
      await page.setViewportSize(PHONE);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(PHONE.width);
      await page.getByRole("link", { name: "2 jobs" }).click();
      await heading(page, "Jobs");
      await page.getByRole("link", { name: "page-7" }).waitFor();
      await page.getByRole("link", { name: "page-8" }).click();
      await heading(page, "Job page-8");
      // An attempt that failed leads back to its cause.
      await page.getByRole("link", { name: "All that failed of this" }).first().click();
      await heading(page, "OutOfPaper in mail");
      await page.getByText("4 failed attempts").waitFor();
      expect(await page.evaluate(() => "attacked" in globalThis)).toBe(false);
      expect(trouble).toEqual([]);
    });

    test("an operator drains a queue, sees that nothing is left, and opens it again", async () => {
      const { client, served } = await fleet(server);
      const { page, trouble } = await open(browserOf(), served.url);
      await page.goto(`${served.url}queues/mail`);
      await heading(page, "Queue mail");
      await page.getByRole("button", { name: "Drain" }).press("Enter");
      const dialog = page.getByRole("dialog", { name: "Drain the queue mail?" });
      await dialog.getByText("It is closed to producers").waitFor();
      expect(await violations(page)).toEqual([]);
      await dialog.getByLabel(/^Why/).fill("a new server");
      await dialog.getByRole("button", { name: "Drain" }).click();
      await page
        .getByText(/^Drained and closed to producers .* by ada@example.com: a new server/)
        .waitFor();
      await page.getByRole("button", { name: "Drain", disabled: true }).waitFor();
      expect(await client.queues.snapshot("mail")).toMatchObject({ intake: "closed" });
      await page.getByRole("button", { name: "Resume" }).click();
      const resume = page.getByRole("dialog", { name: "Resume the queue mail?" });
      await resume.getByRole("button", { name: "Resume" }).click();
      await page.getByRole("button", { name: "Drain", disabled: false }).waitFor();
      await eventually(async () => (await client.enqueue(send, { to: "ann" })).queue === "mail", {
        withinMs: PATIENCE_MS,
        describe: "producers may enqueue again",
      });
      expect(await client.audit.list()).toMatchObject([
        { action: "queues resume", by: "ada@example.com" },
        { action: "queues drain", by: "ada@example.com", reason: "a new server" },
      ]);
      expect(trouble).toEqual([]);
    });
  });
});
