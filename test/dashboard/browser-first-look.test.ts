// What a newcomer meets: a fleet with nothing in it, and a clock of another zone.
import { connect, openJobIndex } from "millrace";
import { serveDashboard } from "millrace/dashboard";
import { expect, onTestFinished, test, vi } from "vitest";
import { violations } from "../harness/accessibility.ts";
import { describeServer } from "../harness/servers.ts";
import { fleet } from "./browser-fleet.ts";
import { describeInBrowser, heading, open } from "./in-browser.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

describeInBrowser("the dashboard at first look", (browserOf) => {
  describeServer("of a fleet", "newest", (server) => {
    test("says on each page of an empty fleet what there would be, and how to begin", async () => {
      const connection = { servers: server.url, namespace: server.namespace(), env: {} };
      const millrace = await connect(connection);
      onTestFinished(() => millrace.close());
      const search = await openJobIndex({ broker: millrace.broker, mask: millrace.mask });
      onTestFinished(() => search.close());
      const served = await serveDashboard({ millrace, port: 0, search, localName: "ada" });
      onTestFinished(() => served.close());
      for (const colorScheme of ["light", "dark"] as const) {
        const { page, trouble } = await open(browserOf(), served.url, { colorScheme });
        await heading(page, "Overview");
        await page.getByText("There are no queues yet.").waitFor();
        await page.getByText("npx millrace run jobs.ts").first().waitFor();
        await page.getByText("npx millrace enqueue hello").waitFor();
        for (const path of [
          ...["", "jobs", "errors", "limits", "schedules", "machines", "machines/runtime"],
          ...["nodes", "operations", "audit"],
        ]) {
          await page.goto(`${served.url}${path}`);
          await page.getByText("Live", { exact: true }).waitFor();
          await page.getByText("Loading…").first().waitFor({ state: "detached" });
          expect(await violations(page), `${path}, ${colorScheme}`).toEqual([]);
          await page.setViewportSize({ width: 360, height: 740 });
          const width = await page.evaluate<number>("document.documentElement.scrollWidth");
          expect(width, `${path} on a phone`).toBeLessThanOrEqual(360);
          await page.setViewportSize({ width: 1_200, height: 750 });
        }
        expect(trouble).toEqual([]);
      }
    });

    test("tells exact times in the zone of who reads", async () => {
      const { client, served } = await fleet(server);
      const [letter] = await client.dead.list({ queue: "billing", limit: 1 });
      const path = `jobs/billing/${letter?.id ?? ""}`;
      for (const [timezoneId, zone] of [
        ["Asia/Tokyo", "GMT+9"],
        ["America/Phoenix", "GMT-7"],
      ] as const) {
        const { page, trouble } = await open(browserOf(), served.url, { timezoneId });
        await page.goto(`${served.url}${path}`);
        const time = page.locator("time").first();
        await time.waitFor();
        const at = Date.parse((await time.getAttribute("datetime")) ?? "");
        const exact = new Intl.DateTimeFormat("en-GB", {
          ...{ dateStyle: "medium", timeStyle: "long", timeZone: timezoneId },
        }).format(at);
        expect(exact).toContain(zone);
        expect(await time.getAttribute("title")).toBe(exact);
        expect(trouble).toEqual([]);
      }
    });
  });
});
