import { createNode, defineJob } from "millrace";
import { expect, onTestFinished, test, vi } from "vitest";
import { violations } from "../harness/accessibility.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { fleet } from "./browser-fleet.ts";
import { describeInBrowser, heading, open } from "./in-browser.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const shaky = defineJob({
  ...{ name: "shaky", queue: "shaky" },
  retry: { attempts: 2, base: "10ms", jitter: false },
});

describeInBrowser("the runtime's own machines, on the dashboard", (browserOf) => {
  describeServer("of a fleet", "newest", (server) => {
    test("somebody sees the way of a job through its chart, and goes on to the machines of the runtime", async () => {
      const { client, served, connection } = await fleet(server);
      const node = await createNode({
        ...{ ...connection, nodeName: "worker-2" },
        jobs: [
          shaky.handler(({ attempt }) => {
            if (attempt === 1) throw new Error("not yet");
          }),
        ],
      });
      onTestFinished(() => node.stop());
      await node.start();
      await client.enqueue(shaky, undefined, { id: "s-1" });
      await eventually(async () => (await client.job("s-1")).state === "succeeded", {
        ...{ withinMs: 60_000, describe: "the second attempt has succeeded" },
      });
      for (const colorScheme of ["light", "dark"] as const) {
        const { page, trouble } = await open(browserOf(), served.url, { colorScheme });
        await page.goto(`${served.url}jobs/shaky/s-1`);
        await heading(page, "Job s-1");
        await page.getByText("Its way through the chart of executions").focus();
        await page.keyboard.press("Enter");
        const chart = page.getByRole("img", { name: "The last execution of s-1: succeeded" });
        await chart.locator("g.active", { hasText: /^succeeded$/ }).waitFor();
        const passed = await chart.locator("g.passed").allTextContents();
        expect(passed.toSorted()).toEqual(["failed", "queued", "requeued", "running", "succeeded"]);
        const taken = (await chart.locator("g.taken").allTextContents()).join(" ");
        for (const label of ["START", "FAIL", "always [mayRetry]", "SUCCEED"])
          expect(taken).toContain(label);
        expect(await violations(page)).toEqual([]);
        await page.getByRole("link", { name: "machines of the runtime" }).click();
        await heading(page, "Machines of the runtime");
        const nodes = page.getByRole("img", { name: "Node: 2 in running" });
        await nodes.locator("g", { hasText: /^running2$/ }).waitFor();
        await page.getByRole("img", { name: /^Execution of a job: \d+ in queued, \d/ }).waitFor();
        for (const name of ["Leader of schedules", "Request for a lock"])
          await page.getByRole("img", { name }).waitFor();
        expect(await violations(page)).toEqual([]);
        expect(trouble).toEqual([]);
      }
    });
  });
});
