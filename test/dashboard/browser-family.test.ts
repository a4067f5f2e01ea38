import { type BatchEnded, createNode, defineJob, planJob } from "millrace";
import { expect, onTestFinished, test, vi } from "vitest";
import { violations } from "../harness/accessibility.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { fleet } from "./browser-fleet.ts";
import { describeInBrowser, heading, open } from "./in-browser.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const split = defineJob<number>({ name: "split", queue: "splits" });
/** Of 0 it ends at once, of anything else when it may. */
const sum = defineJob<number>({ name: "sum", queue: "sums", retry: "none" });
const report = defineJob<BatchEnded<null>>({ name: "report", queue: "sums" });
const LONG_ID = `r-${"0".repeat(40)}`;

describeInBrowser("who enqueued whom, on the dashboard", (browserOf) => {
  describeServer("of a fleet", "newest", (server) => {
    test("somebody goes from a job to what it enqueued, by the graph and by the keyboard", async () => {
      const { client, served, connection } = await fleet(server);
      const node = await createNode({
        ...{ ...connection, nodeName: "worker-2" },
        jobs: [
          split.handler(async ({ input, enqueue, job: { id } }) => {
            if (input > 0) await enqueue(split, input - 1, { id: `${id}a` });
          }),
        ],
      });
      onTestFinished(() => node.stop());
      await node.start();
      await client.enqueue(split, 1, { id: LONG_ID });
      await eventually(async () => (await client.job(`${LONG_ID}a`)).state === "succeeded", {
        ...{ withinMs: 60_000, describe: "what it enqueued has succeeded" },
      });
      for (const colorScheme of ["light", "dark"] as const) {
        const { page, trouble } = await open(browserOf(), served.url, { colorScheme });
        await page.goto(`${served.url}jobs/splits/${LONG_ID}`);
        await heading(page, `Job ${LONG_ID}`);
        const graph = page.getByRole("region", { name: "Graph of jobs" });
        // What is read aloud says the state, and the whole id, which the box has no room for.
        const child = graph.getByRole("link", {
          name: new RegExp(`split.*succeeded.*${LONG_ID}a`),
        });
        await child.waitFor();
        expect(await graph.getByRole("link").count()).toBe(2);
        expect(await violations(page)).toEqual([]);
        await child.focus();
        await page.keyboard.press("Enter");
        await heading(page, `Job ${LONG_ID}a`);
        expect(trouble).toEqual([]);
      }
    });

    test("a chain and a batch are followed while they run, to the callback", async () => {
      const { client, served, connection } = await fleet(server);
      const may = Promise.withResolvers<void>();
      const node = await createNode({
        ...{ ...connection, nodeName: "worker-2" },
        jobs: [
          sum.handler(async ({ input }) => {
            if (input > 0) await may.promise;
            return input + 1;
          }),
          report.handler(() => undefined),
        ],
      });
      onTestFinished(() => node.stop());
      await node.start();
      await client.chain(sum, 0, { id: "c" }).next(sum).next(sum).enqueue();
      const batch = [planJob(sum, 0, { id: "early" }), planJob(sum, 1, { id: "slow" })];
      await client.batch(batch, { id: "b", callback: { job: report, input: null } });
      await eventually(async () => (await client.job("early")).state === "succeeded", {
        ...{ withinMs: 60_000, describe: "the first of the batch has succeeded" },
      });

      const { page, trouble } = await open(browserOf(), served.url);
      const graph = page.getByRole("region", { name: "Graph of jobs" });
      const boxes = graph.getByRole("link");
      // The page's own job comes first.
      const idOf = (text: string): string => text.slice(text.lastIndexOf(" "));
      const inOrder = async () =>
        (await boxes.allTextContents()).toSorted((a, b) => idOf(a).localeCompare(idOf(b)));
      const states = (...all: readonly RegExp[]) =>
        expect
          .poll(inOrder, { timeout: 60_000 })
          .toEqual(all.map((state) => expect.stringMatching(state) as string));
      await page.goto(`${served.url}jobs/sums/c`);
      await heading(page, "Job c");
      await states(/succeeded · c$/, /running · c:2$/, /not begun · c:3$/);
      expect(await violations(page)).toEqual([]);

      const other = await open(browserOf(), served.url, { colorScheme: "dark" });
      await other.page.goto(`${served.url}jobs/sums/early`);
      await other.page.getByText("Batch b: 1 of 2 jobs ended (1 succeeded). Then comes").waitFor();
      expect(await violations(other.page)).toEqual([]);

      may.resolve();
      await states(/succeeded · c$/, /succeeded · c:2$/, /succeeded · c:3$/);
      await other.page.getByText("Batch b: 2 of 2 jobs ended (2 succeeded). Then comes").waitFor();
      await other.page.getByRole("link", { name: "b:callback", exact: true }).click();
      await heading(other.page, "Job b:callback");
      await other.page.getByRole("link", { name: /report succeeded · b:callback/ }).waitFor();
      // Ids with a colon, as the runtime makes them: by a click, and by an address that is pasted.
      await boxes.nth(1).click();
      await heading(page, "Job c:2");
      await states(/succeeded · c$/, /succeeded · c:2$/, /succeeded · c:3$/);
      for (const id of ["c:3", "c%3A3"]) {
        await page.goto(`${served.url}jobs/sums/${id}`);
        await heading(page, "Job c:3");
        await states(/succeeded · c$/, /succeeded · c:2$/, /succeeded · c:3$/);
      }
      expect([...trouble, ...other.trouble]).toEqual([]);
    });
  });
});
