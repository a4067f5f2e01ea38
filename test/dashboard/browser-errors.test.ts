import { expect, test, vi } from "vitest";
import { violations } from "../harness/accessibility.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { charge, COUNT, fleet, send, TOO_MUCH } from "./browser-fleet.ts";
import { describeInBrowser, heading, open } from "./in-browser.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const PATIENCE_MS = 60_000;
const PHONE = { width: 390, height: 800 };

describeInBrowser("the dashboard's causes and queues", (browserOf) => {
  describeServer("of a fleet", "newest", (server) => {
    test("a cause shows how many died of it over time", async () => {
      const { client, served } = await fleet(server);
      const { page, trouble } = await open(browserOf(), served.url);
      await page.goto(`${served.url}dead`);
      await heading(page, "Dead letters");
      await page.getByRole("columnheader", { name: "last 24h" }).waitFor();
      // All in one hour, but where one has just begun.
      const bars = page.getByRole("img", {
        name: new RegExp(`^${COUNT} in 24h, at most \\d+ in 1h$`),
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
      await page.goto(`${served.url}dead?queue=billing`);
      await page.getByText(`${COUNT + 3} letters of 2 causes.`).waitFor();
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
      const diedOn = page.locator("dd").filter({ hasText: "worker-1 3 letters" });
      await diedOn.getByRole("link", { name: "worker-1" }).click();
      await page.getByText(`Only those that fit node:"worker-1".`).waitFor();
      await page.getByText("3 letters of").waitFor();
      await page.getByRole("link", { name: "All of this cause" }).click();
      await page.getByText(`Only those that fit`).waitFor({ state: "detached" });
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
      await page.goto(`${served.url}dead/group?${new URLSearchParams(of).toString()}`);
      await page.getByText(`${COUNT} letters of`).waitFor();
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
      await page.getByRole("button", { name: "Drain" }).waitFor({ state: "detached" });
      expect(await client.queues.snapshot("mail")).toMatchObject({ intake: "closed" });
      await page.getByRole("button", { name: "Resume" }).click();
      const resume = page.getByRole("dialog", { name: "Resume the queue mail?" });
      await resume.getByRole("button", { name: "Resume" }).click();
      await page.getByRole("button", { name: "Drain" }).waitFor();
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
