import { createNode, defineJob } from "millrace";
import { expect, onTestFinished, test, vi } from "vitest";
import { violations } from "../harness/accessibility.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { fleet } from "./browser-fleet.ts";
import { describeInBrowser, heading, open } from "./in-browser.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const close = defineJob<string>({ name: "books.close", queue: "books", singleton: true });

describeInBrowser("limits and locks of the dashboard", (browserOf) => {
  describeServer("of a fleet", "newest", (server) => {
    test("an operator sees who holds what and what waits, sets a limit and releases a lock", async () => {
      const { client, served, connection } = await fleet(server);
      const end = Promise.withResolvers<void>();
      const node = await createNode({
        ...{ ...connection, nodeName: "worker-2" },
        jobs: [close.handler(() => end.promise)],
      });
      onTestFinished(() => node.stop());
      onTestFinished(() => end.resolve());
      await node.start();
      for (const id of ["b-1", "b-2", "b-3"]) await client.enqueue(close, id, { id });
      await eventually(async () => (await client.locks.gates())[0]?.jobs === 2, {
        ...{ withinMs: 60_000, describe: "two jobs wait for the one that runs" },
      });
      void client.lock("invoices/2030", { lease: "1h" }, () => end.promise).catch(() => {});
      const { page, trouble } = await open(browserOf(), served.url);
      await page.getByRole("link", { name: "Limits", exact: true }).click();
      await heading(page, "Limits and locks");
      const waits = page.getByRole("region", { name: "What waits, table" });
      const gate = waits.getByRole("row").filter({ hasText: "singleton/books.close" });
      await gate.getByRole("link", { name: "2", exact: true }).waitFor();
      await gate.getByText("worker-2").waitFor();
      expect(await violations(page)).toEqual([]);
      const next = gate.getByRole("link", { name: "b-2", exact: true });
      const places: (number | undefined)[] = [];
      // Its text is another each second, and nothing moves under who is about to click.
      for (const [said, minutes] of [
        [/^\d+ sec ago$/, 0.1],
        ["12 min ago", 12.5],
      ] as const) {
        await page.clock.setFixedTime(Date.now() + minutes * 60_000);
        // Since when it is held, then since when the next waits.
        await gate.getByText(said).last().waitFor();
        places.push((await next.boundingBox())?.x);
      }
      expect(places[1]).toBe(places[0]);
      await next.click();
      await heading(page, "Job b-2");
      const holds = page.getByRole("region", { name: "What it waits for" });
      await holds.getByText("None is before it, 2 wait there in all.").waitFor();
      await holds.getByRole("link", { name: "singleton books.close" }).waitFor();
      await holds.getByText(/b-1 has it, on worker-2, since/).waitFor();
      expect(await violations(page)).toEqual([]);
      await holds.getByRole("link", { name: "b-1" }).click();
      await heading(page, "Job b-1");
      await holds.waitFor({ state: "detached" });
      await page.goto(`${served.url}queues/books`);
      const facts = page.getByText(/^singleton\/books\.close 2 jobs.*worker-2$/);
      await facts.getByRole("link", { name: "held by" }).waitFor();
      expect(await violations(page)).toEqual([]);
      await facts.getByRole("link", { name: /^singleton/ }).click();
      await heading(page, "Jobs");
      await page.getByRole("link", { name: "b-3", exact: true }).waitFor();
      expect(new URL(page.url()).searchParams.get("filter")).toBe('gate="singleton/books.close"');
      const [later] = await client.delayed.list({ queue: "mail" });
      await page.goto(`${served.url}jobs/mail/${later?.id}`);
      await holds.getByText("Its producer gave it a delay or a time.").waitFor();
      await page.goto(`${served.url}queues/books`);
      await page.getByRole("button", { name: "Set limits" }).click();
      const dialog = page.getByRole("dialog", { name: "Set limits of books?" });
      await dialog.getByLabel("Starts (now none)").fill("often");
      await dialog.getByRole("button", { name: "Set limits" }).click();
      await dialog.getByRole("alert").filter({ hasText: "such as 100/1s" }).waitFor();
      await dialog.getByLabel("Starts (now none)").fill("100/1m");
      await dialog.getByLabel("Jobs at once (now none)").fill("7");
      await dialog.getByLabel("Starts of one key (now none)").fill("3/1h");
      expect(await violations(page)).toEqual([]);
      await dialog.getByRole("button", { name: "Set limits" }).click();
      await page.getByText("The limits of books are set.").waitFor();
      await page.getByText(/^100 in 1m, \d+ free now$/).waitFor();
      await page.getByRole("definition").filter({ hasText: "3 in 1h" }).waitFor();
      expect(await client.queues.controls("books")).toMatchObject({
        ...{ concurrency: 7, rate: { limit: 100, perMs: 60_000 } },
      });
      await page.getByRole("link", { name: "Limits", exact: true }).click();
      const books = page
        .getByRole("region", { name: "Limits, table" })
        .getByRole("row", { name: /^books/ });
      await books.getByText(/: \d+ since \S/).waitFor();
      const lock = page.getByRole("row").filter({ hasText: "user/invoices/2030" });
      const [held] = await client.locks.list({ prefix: "user/" });
      const since = new Date(held?.since ?? 0).toISOString().slice(0, 19);
      await lock.locator(`time[datetime^="${since}"]`).waitFor();
      await lock.getByRole("button", { name: "Release" }).click();
      const release = page.getByRole("dialog", {
        name: /^Take the lock user\/invoices\/2030 from /,
      });
      await release.getByRole("button", { name: "Release" }).click();
      await page.getByText("user/invoices/2030 is free.").waitFor();
      await lock.waitFor({ state: "detached" });
      const refused = "the server responded with a status of 400";
      expect(trouble.filter((said) => !said.includes(refused))).toEqual([]);
    });
  });
});
