import { expect, test, vi } from "vitest";
import { violations } from "../harness/accessibility.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { COUNT, fleet, send } from "./browser-fleet.ts";
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
