// Each number of the overview, of a queue and of a cause leads to its list. Plots start at 5 min.
import { defineJob } from "millrace";
import { serveDashboard } from "millrace/dashboard";
import { expect, onTestFinished, test, vi } from "vitest";
import { violations } from "../harness/accessibility.ts";
import { describeServer } from "../harness/servers.ts";
import { COUNT, fleet } from "./browser-fleet.ts";
import { busy } from "./busy-fleet.ts";
import { answerTo, describeInBrowser, heading, open } from "./in-browser.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const desk = defineJob<string>({ name: "desk.work", queue: "desk" });

describeInBrowser("numbers of the dashboard", (browserOf) => {
  describeServer("of a fleet", "newest", (server) => {
    test("the age of the oldest job leads to it where it waits, and to word of it where none is left", async () => {
      const { client, served } = await busy(server);
      await client.queues.ensure("desk");
      await client.enqueue(desk, "old", { id: "old", priority: "low" });
      await client.enqueue(desk, "urgent", { id: "urgent", priority: "high" });
      const { page, trouble } = await open(browserOf(), served.url);
      const row = page.getByRole("row", { name: /^desk/ });
      await row.getByRole("link", { name: /^[\d.]+(s|m|ms)$/ }).click();
      await heading(page, "Job old");
      await page.goBack();
      await heading(page, "Overview");
      await client.queues.purge("desk");
      await page.goto(`${served.url}queues/desk/oldest`);
      await page.getByText("Nothing is left in the queue desk.").waitFor();
      expect(trouble).toEqual([]);
    });

    test("the age of the oldest job leads to it where it runs, slots to the nodes", async () => {
      const { served } = await busy(server);
      const { page, trouble } = await open(browserOf(), served.url);
      const slow = page.getByRole("row", { name: /^slow/ });
      const age = /^[\d.]+(s|m|ms)$/;
      await slow.getByRole("link", { name: age }).click();
      await heading(page, "Job runs");
      // Its first attempt is under way: where, and since when.
      const time = page.getByRole("list", { name: "What happened, in order" });
      await time.getByText("attempt 1: running on worker-2").waitFor();
      await page.goBack();
      const slots = slow.getByRole("cell").last().getByRole("link");
      await slots.click();
      await heading(page, "Nodes");
      const node = page.getByRole("row", { name: /^worker-1/ });
      // Jobs that it has ended, after its slots.
      await node.getByRole("cell").nth(3).getByRole("link").click();
      await heading(page, "Jobs");
      expect(new URL(page.url()).searchParams.get("filter")).toBe('node:"worker-1"');
      await page.getByRole("link", { name: "dies", exact: true }).waitFor();
      await page.goto(`${served.url}queues/slow`);
      await page.getByRole("link", { name: / old$/ }).click();
      await heading(page, "Job runs");
      await page.goBack();
      await page.getByRole("link", { name: /^1 node with \d+ slots$/ }).click();
      await heading(page, "Nodes");
      expect(trouble).toEqual([]);
    });

    test("each count of a cause leads to what it counts, filtered as the cause is", async () => {
      const { served, search } = await fleet(server);
      await search.caughtUp();
      const { page, trouble } = await open(browserOf(), served.url);
      const filter = 'node:"worker-1"';
      const at = `${served.url}errors?${new URLSearchParams({ filter }).toString()}`;
      const listed = async (click: () => Promise<void>): Promise<void> => {
        await page.goto(at);
        await click();
        await heading(page, "Jobs");
        await page.getByRole("row").nth(COUNT).waitFor();
        expect(new URL(page.url()).searchParams.get("filter")).toMatch(
          /^\(node:"worker-1"\) fingerprint:\w+ name="billing.charge"$/,
        );
      };
      const cells = page.getByRole("row", { name: /CardDeclined/ }).getByRole("cell");
      const inRow = (words: string) => cells.getByRole("link", { name: words, exact: true });
      const failures = `${2 * COUNT} failed attempts`;
      await listed(() => inRow(String(2 * COUNT)).click());
      await listed(() => inRow(String(COUNT)).last().click());
      await page.goto(at);
      await page.getByRole("link", { name: `${COUNT} dead letters`, exact: true }).click();
      await page.waitForURL(/dead=only/);
      await inRow(String(COUNT)).first().click();
      await heading(page, /^CardDeclined/);
      const cause = page.url();
      const letters = page.getByRole("heading", { name: "Dead letters, the oldest first" });
      await letters.waitFor();
      await page.getByRole("link", { name: `${COUNT} dead letters`, exact: true }).click();
      const top = async () => (await letters.boundingBox())?.y;
      await expect.poll(top, { timeout: 30_000 }).toBeLessThan(100);
      expect(page.url()).toBe(`${cause}#letters`);
      await listed(async () => {
        await page.goto(cause);
        await page.getByRole("link", { name: failures }).click();
      });
      await page.goto(cause);
      await page.getByRole("link", { name: `worker-1 ${2 * COUNT} times` }).click();
      await page.getByText(failures).waitFor();
      expect(trouble).toEqual([]);
    });

    test("the slots of a queue lead to the jobs that use them", async () => {
      const { client, served } = await busy(server);
      await client.queues.set("slow", { concurrency: 3 });
      const { page, trouble } = await open(browserOf(), served.url);
      await page.goto(`${served.url}queues/slow`);
      await page.getByRole("link", { name: /^worker-2 \d slots?$/ }).click();
      await heading(page, "Jobs");
      await page.getByRole("link", { name: "runs", exact: true }).waitFor();
      const { searchParams } = new URL(page.url());
      expect(Object.fromEntries(searchParams)).toEqual({
        ...{ state: "running", queue: "slow", filter: 'node:"worker-2"' },
      });
      expect(trouble).toEqual([]);
    });

    test("a list that was cut says so, and where the rest is", async () => {
      const { served } = await busy(server);
      const { page } = await open(browserOf(), served.url);
      let made = 199;
      await page.route("**/api/audit", async (route) => {
        const one = { at: 1, by: "ada", action: "queues pause", which: "mail", outcome: "1 done" };
        const json = Array.from({ length: made }, (_, n) => ({ ...one, id: String(n) }));
        await route.fulfill({ json });
      });
      const cut = page.getByText("The last 200 changes.");
      await page.goto(`${served.url}audit`);
      await page.getByRole("row").nth(199).waitFor();
      expect(await cut.count()).toBe(0);
      made = 200;
      await page.goto(`${served.url}audit`);
      await cut.waitFor();
    });

    test("a Grafana that is configured is linked beside the plots, and nothing is where none is", async () => {
      const { client, served } = await fleet(server);
      const grafana = "https://grafana.example.com/d/millrace";
      const other = await serveDashboard({ millrace: client, port: 0, localName: "ada", grafana });
      onTestFinished(() => other.close());
      const { page, trouble } = await open(browserOf(), other.url);
      const link = page.getByRole("link", { name: "More in Grafana" });
      for (const path of ["", "queues/mail"]) {
        await page.goto(`${other.url}${path}`);
        expect(await link.getAttribute("href")).toBe(grafana);
      }
      expect(trouble).toEqual([]);
      await page.goto(served.url);
      await page.getByRole("heading", { name: "How long they ran" }).waitFor();
      expect(await link.count()).toBe(0);
    });

    test("what waited in each queue is drawn in its row, in the range of the plots and with their question", async () => {
      const { served } = await busy(server);
      const { page, trouble } = await open(browserOf(), served.url);
      const asked: string[] = [];
      await page.route("**/api/plots?*", async (route) => {
        asked.push(new URL(route.request().url()).search);
        const answer = await answerTo(route);
        const view = (await answer.json()) as object;
        const billing = { queued: [null, 0, 4_000], oldestAgeMs: [null, 0, 90_000] };
        await route.fulfill({ json: { ...view, queues: { billing } } });
      });
      await page.goto(served.url);
      const billing = page.getByRole("row").filter({ has: page.getByText("billing") });
      await billing.getByRole("img", { name: "at most 4,000" }).waitFor();
      await billing.getByRole("img", { name: "at most 1.5m" }).waitFor();
      const mail = page.getByRole("row").filter({ has: page.getByText("mail", { exact: true }) });
      expect(await mail.getByRole("img", { name: "none known" }).count()).toBe(2);
      await page.getByLabel("Range").selectOption("24 hours");
      await page.getByRole("button", { name: "queued, 24h" }).waitFor();
      expect(new Set(asked).size, asked.join()).toBe(2);
      expect(await violations(page)).toEqual([]);
      await page.unrouteAll({ behavior: "wait" });
      expect(trouble).toEqual([]);
    });

    test("plots show the last 5 and 15 minutes, of the fleet and of a queue", async () => {
      const { served } = await busy(server);
      const { page, trouble } = await open(browserOf(), served.url);
      for (const path of ["", "queues/billing"]) {
        await page.goto(`${served.url}${path}`);
        for (const [range, name] of [
          ["5m", "5 minutes"],
          ["15m", "15 minutes"],
        ] as const) {
          const answer = page.waitForResponse((one) => one.url().includes(`range=${range}`));
          await page.getByLabel("Range").selectOption(name);
          expect((await answer).status()).toBe(200);
          const words = /\d+ failed and were tried again, [1-9]\d* died: [\d.]+% failed, /;
          await page.getByText(words).waitFor();
        }
      }
      expect(trouble).toEqual([]);
    });

    test("a number below a plot leads to the list of what it counts, since when it counts it", async () => {
      const { served } = await busy(server);
      const { page, trouble } = await open(browserOf(), served.url);
      for (const [path, number, heading, row] of [
        ["", /^[1-9]\d* died$/, "Errors", "CardDeclined"],
        ["queues/billing", /^[1-9]\d* died$/, "Errors of billing", "CardDeclined"],
        ["queues/billing", /^[1-9]\d* failed$/, "Errors of billing", "CardDeclined"],
        ["queues/mail", /^[1-9]\d* succeeded$/, "Jobs", "succeeded"],
      ] as const) {
        await page.goto(`${served.url}${path}`);
        await page.getByLabel("Range").selectOption("15 minutes");
        await page.getByRole("link", { name: number }).last().click();
        await page.getByRole("heading", { name: heading, exact: true }).waitFor();
        await page.getByRole("table").getByText(row).first().waitFor();
      }
      await page.route("**/api/plots?*", async (route) => {
        const view = (await (await answerTo(route)).json()) as object;
        const jobs = { queued: [3], running: [0], delayed: [0], blocked: [0], dead: [2] };
        const sampled = { at: [Date.now()], ...jobs, oldestAgeMs: [0], slots: [4], used: [1] };
        await route.fulfill({ json: { ...view, sampled } });
      });
      await page.goto(served.url);
      for (const [number, address] of [
        ["3 queued", "/jobs?state=queued"],
        ["2 dead", "/errors?dead=only"],
        ["1 used", "/nodes"],
      ] as const)
        expect(await page.getByRole("link", { name: number }).getAttribute("href")).toBe(address);
      expect(await page.getByRole("link", { name: "0 running" }).count()).toBe(0);
      expect(await violations(page)).toEqual([]);
      await page.unrouteAll({ behavior: "wait" });
      expect(trouble).toEqual([]);
    });
  });
});
