import { expect, test, vi } from "vitest";
import { violations } from "../harness/accessibility.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { charge, COUNT, fleet } from "./browser-fleet.ts";
import { describeInBrowser, heading, open } from "./in-browser.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const PATIENCE_MS = 60_000;
const PHONE = { width: 390, height: 800 };

describeInBrowser("dead jobs of the dashboard's search", (browserOf) => {
  describeServer("of a fleet", "newest", (server) => {
    test("an operator retries all that match, and is told how many of them are dead", async () => {
      const { client, served, bankIsUp } = await fleet(server);
      bankIsUp();
      await client.enqueueMany(
        charge,
        [1, 2, 3].map((amount) => ({ input: { customer: "ann", amount } })),
      );
      const paid = async (): Promise<number> => {
        const records = await client.jobs.list({ queue: "billing", limit: 500 });
        return records.filter(({ state }) => state === "succeeded").length;
      };
      await eventually(async () => (await paid()) === 3, {
        withinMs: PATIENCE_MS,
        describe: "three that match have succeeded",
      });
      const { page, trouble } = await open(browserOf(), served.url);
      await page.goto(`${served.url}jobs?queue=billing&filter=payload.amount%3C10`);
      await heading(page, "Jobs");
      await page.getByRole("row").nth(13).waitFor();
      const button = page.getByRole("button", { name: "Retry all that match" });
      const counts = "**/api/operations/count?*";
      await page.route(counts, (route) => route.fulfill({ json: { count: 0, more: true } }));
      await button.press("Enter");
      await page.getByRole("dialog").getByText("To count what matches takes too long").waitFor();
      await page.keyboard.press("Escape");
      await page.unroute(counts);
      await page.reload();
      await page.getByRole("row").nth(13).waitFor();
      await button.press("Enter");
      const question = "Retry all dead jobs of billing that fit payload.amount<10?";
      const dialog = page.getByRole("dialog", { name: question });
      await dialog.getByText("10 of 13 jobs that match can be retried now.").waitFor();
      expect(await violations(page)).toEqual([]);
      await page.emulateMedia({ colorScheme: "dark" });
      expect(await violations(page)).toEqual([]);
      await page.setViewportSize(PHONE);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(PHONE.width);
      await dialog.getByLabel(/^Why/).fill("the bank is back");
      await dialog.getByRole("button", { name: "Retry all that match" }).click();
      await heading(page, "Retry dead letters");
      await page.getByText("10 of 10 done", { exact: true }).waitFor();
      await eventually(async () => (await paid()) === 13, {
        withinMs: PATIENCE_MS,
        describe: "those that were dead have succeeded",
      });
      expect(await client.jobs.count({ state: "dead" })).toBe(COUNT - 10);
      expect(await client.audit.list()).toMatchObject([
        {
          ...{ action: "dead retry", by: "ada@example.com", reason: "the bank is back" },
          filter: { queue: "billing", where: "state=dead (payload.amount<10)" },
          outcome: { count: 10, failed: 0 },
        },
      ]);
      // What letters don't know is refused where it is asked, and not after the button.
      await page.goto(`${served.url}jobs?state=dead&filter=took%3E5s`);
      await button.click();
      await page.getByRole("alert").filter({ hasText: "one of the fields" }).waitFor();
      const refused = "the server responded with a status of 400";
      expect(trouble.filter((said) => !said.includes(refused))).toEqual([]);
    });
  });
});
