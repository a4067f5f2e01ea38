import { createNode, defineJob } from "millrace";
import { expect, onTestFinished, test, vi } from "vitest";
import { violations } from "../harness/accessibility.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { fleet } from "./browser-fleet.ts";
import { describeInBrowser, heading, open } from "./in-browser.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const split = defineJob<number>({ name: "split", queue: "splits" });
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
  });
});
