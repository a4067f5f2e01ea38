// Each number of the overview and of a queue leads to its list, and plots go from 5 minutes on.
import { expect, test, vi } from "vitest";
import { describeServer } from "../harness/servers.ts";
import { busy } from "./busy-fleet.ts";
import { describeInBrowser, heading, open } from "./in-browser.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

describeInBrowser("numbers of the dashboard", (browserOf) => {
  describeServer("of a fleet", "newest", (server) => {
    test("the age of the oldest job leads to where it is, slots to the nodes", async () => {
      const { served } = await busy(server);
      const { page, trouble } = await open(browserOf(), served.url);
      const slow = page.getByRole("row", { name: /^slow/ });
      const age = /^[\d.]+(s|m|ms)$/;
      await slow.getByRole("link", { name: age }).click();
      await page.getByRole("link", { name: "runs", exact: true }).waitFor();
      expect(new URL(page.url()).search).toBe("?state=running&queue=slow");
      await page.goBack();
      const slots = slow.getByRole("cell").last().getByRole("link");
      await slots.click();
      await heading(page, "Nodes");
      await page.goto(`${served.url}queues/slow`);
      await page.getByRole("link", { name: / old$/ }).click();
      await page.getByRole("link", { name: "runs", exact: true }).waitFor();
      await page.goBack();
      await page.getByRole("link", { name: /^1 node with \d+ slots$/ }).click();
      await heading(page, "Nodes");
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
          await page.getByText(/\d+ failed and were tried again, [1-9]\d* died\./).waitFor();
        }
      }
      expect(trouble).toEqual([]);
    });
  });
});
