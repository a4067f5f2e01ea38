// A phone that is touched: it has no pointer that hovers, and no keys.
import { expect, test, vi } from "vitest";
import { violations } from "../harness/accessibility.ts";
import { describeServer } from "../harness/servers.ts";
import { COUNT, fleet } from "./browser-fleet.ts";
import { describeInBrowser, heading, open } from "./in-browser.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const PHONE = { viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true };

describeInBrowser("the dashboard on a phone", (browserOf) => {
  describeServer("of a fleet", "newest", (server) => {
    test("whatever can be tapped is large enough, on every page", async () => {
      const { client, served } = await fleet(server);
      const [group] = await client.dead.groups();
      const { queue = "", name = "", reason = "", error = "", lastId = "" } = group ?? {};
      const of = new URLSearchParams({ queue, name, reason, error }).toString();
      const { page, trouble } = await open(browserOf(), served.url, PHONE);
      const found: Record<string, readonly string[]> = {};
      for (const path of [
        ...["", "queues/mail", "jobs", "jobs?state=delayed&queue=mail", "errors", "limits"],
        ...[`errors/cause?${of}`, `jobs/${queue}/${lastId}`, "schedules", "machines"],
        ...["machines/claim/c-1", "machines?machine=claim", "machines/runtime", "nodes"],
        ...["operations", "audit", "outbox", "doctor"],
      ]) {
        await page.goto(`${served.url}${path}`);
        await page.getByText("Live", { exact: true }).waitFor();
        await page.getByText("Loading…").first().waitFor({ state: "detached" });
        const wrong = await violations(page, "finger");
        if (wrong.length > 0) found[path] = wrong;
        // Wider than the phone, it would be shown small, and dragged aside at each touch.
        expect(await page.evaluate("visualViewport.scale"), path).toBe(1);
      }
      expect(found).toEqual({});
      expect(trouble).toEqual([]);
    });

    test("an operator finds a cause, and retries all that died of it, by taps alone", async () => {
      const { client, served, bankIsUp } = await fleet(server);
      const { page, trouble } = await open(browserOf(), served.url, PHONE);
      await page.getByRole("link", { name: "Errors" }).tap();
      await heading(page, "Errors");
      await page
        .getByRole("link", { name: /CardDeclined/ })
        .first()
        .tap();
      await heading(page, /^CardDeclined/);
      bankIsUp();
      await page
        .getByRole("button", { name: /^Retry/ })
        .first()
        .tap();
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("button", { name: /^Retry/ }).tap();
      await page.getByText(`${COUNT} of ${COUNT} done`, { exact: true }).waitFor();
      expect(await client.jobs.count({ state: "dead" })).toBe(0);
      expect(trouble).toEqual([]);
    });
  });
});
