import { expect, test, vi } from "vitest";
import { violations } from "../harness/accessibility.ts";
import { eventually } from "../harness/deadline.ts";
import { pauseHeard } from "../harness/pulls.ts";
import { describeServer } from "../harness/servers.ts";
import { fleet, send } from "./browser-fleet.ts";
import { describeInBrowser, heading, open } from "./in-browser.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const PATIENCE_MS = 60_000;

describeInBrowser("jobs that wait, on the dashboard", (browserOf) => {
  describeServer("of a fleet", "newest", (server) => {
    test("an operator finds them by payload and tag, and cancels those alone", async () => {
      const { client, connection, served } = await fleet(server);
      await pauseHeard(client, connection, "mail");
      for (const to of ["ann", "bob", "eve"])
        await client.enqueue(send, { to }, { id: `to-${to}`, tags: [to === "bob" ? "x" : "vip"] });
      const { page, trouble } = await open(browserOf(), served.url);
      await page.goto(`${served.url}jobs?state=queued&queue=mail`);
      await heading(page, "Jobs");
      const rows = page.getByRole("region", { name: "Jobs, table" }).locator("tbody tr");
      await rows.nth(2).waitFor();
      const search = page.getByPlaceholder("payload.customer:42 tag:vip age>1h");
      const options = `[...document.querySelectorAll("datalist option")].map(({ value }) => value)`;
      for (const [typed, expected] of [
        ["tag:", ["tag:vip", "tag:x"]],
        ["payload.", ["payload.to:"]],
        // They have no error.
        ["err", []],
      ] as const) {
        await search.fill(typed);
        await eventually(
          async () => (await page.evaluate<string[]>(options)).join() === expected.join(),
          {
            ...{ withinMs: PATIENCE_MS, describe: `${typed} goes on as ${expected.join(" or ")}` },
          },
        );
      }
      await search.fill("tag:vip -payload.to:eve");
      await search.press("Enter");
      await eventually(async () => (await rows.count()) === 1, {
        ...{ withinMs: PATIENCE_MS, describe: "one is left in the list" },
      });
      await rows.getByRole("link", { name: "to-ann" }).waitFor();
      expect(await violations(page)).toEqual([]);
      await page.getByRole("button", { name: "Cancel all that match" }).click();
      const question = "Cancel all queued jobs of mail that fit tag:vip -payload.to:eve?";
      const dialog = page.getByRole("dialog", { name: question });
      await dialog.getByText("1 job match now.").waitFor();
      await dialog.getByRole("button", { name: "Cancel all that match" }).click();
      await heading(page, "Cancel jobs");
      await page.getByText("1 of 1 done", { exact: true }).waitFor();
      await client.queues.resume("mail");
      await eventually(async () => (await client.job("to-ann")).state === "cancelled", {
        ...{ withinMs: PATIENCE_MS, describe: "it is cancelled" },
      });
      expect(await client.jobs.count({ state: "delayed", queue: "mail" })).toBe(1);
      // So is what waits for its time.
      await page.goto(`${served.url}jobs?state=delayed&filter=payload.to:later*`);
      await rows.nth(0).waitFor();
      expect(trouble).toEqual([]);
    });
  });
});
