// An operation that goes further than was meant, and who stops it.
import type { EnqueueItem } from "millrace";
import { expect, test, vi } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { fleet, send } from "./browser-fleet.ts";
import { describeInBrowser, heading, open } from "./in-browser.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

/** More than are cancelled before somebody can click. */
const MANY = 5_000;

describeInBrowser("an operation that is stopped on the page", (browserOf) => {
  describeServer("of a fleet", "newest", (server) => {
    test("leaves the rest as it is, and the audit says who stopped it after how many", async () => {
      const { client, served } = await fleet(server);
      const jobs: EnqueueItem<{ readonly to: string }>[] = Array.from({ length: MANY }, (_, n) => ({
        input: { to: `reader-${n}@example.com` },
        delay: "2h",
      }));
      await client.enqueueMany(send, jobs);
      const { page, trouble } = await open(browserOf(), served.url);
      await page.goto(`${served.url}queues/mail`);
      await page.getByRole("button", { name: "Purge", exact: true }).click();
      const purge = page.getByRole("dialog", { name: "Cancel all jobs that wait in mail?" });
      await purge.getByLabel(/delayed jobs? too/).check();
      await purge.getByText(/^5,001 jobs match now/).waitFor();
      await purge.getByRole("button", { name: "Purge" }).click();
      await heading(page, "Cancel jobs");
      await page.getByText(/[1-9][\d,]* of 5,001 done/).waitFor();
      await page.getByRole("button", { name: "Stop" }).click();
      const stop = page.getByRole("dialog", { name: "Stop this operation?" });
      await stop.getByRole("button", { name: "Stop" }).click();
      const by = "ada@example.com";
      await page
        .locator("dd")
        .filter({ hasText: `stopped by ${by}` })
        .waitFor();
      const id = new URL(page.url()).pathname.split("/").at(-1) ?? "";
      const stopped = await eventually(
        async () => {
          const operation = await client.operations.get(id);
          return operation.progress.state === "stopped" ? operation : undefined;
        },
        { withinMs: 60_000, describe: "the operation has stopped" },
      );
      const { done } = stopped;
      expect(done).toBeLessThan(MANY);
      // Their node moves those that it finds in the queue to where they wait for their time.
      await eventually(
        async () => {
          const { queued, running } = await client.queues.snapshot("mail");
          return queued + running === 0;
        },
        { withinMs: 120_000, everyMs: 200, describe: "all that is left waits for its time" },
      );
      expect(await client.delayed.count()).toBe(MANY - done + 1);
      await page.getByRole("button", { name: "Undo" }).waitFor();
      const [entry] = await client.audit.list();
      expect(entry).toMatchObject({
        id,
        outcome: { state: "stopped", by, count: done, failed: 0 },
      });
      await page.goto(`${served.url}audit`);
      await page.getByText(`${done} done, stopped by ${by}`, { exact: true }).waitFor();
      expect(trouble).toEqual([]);
    });
  });
});
