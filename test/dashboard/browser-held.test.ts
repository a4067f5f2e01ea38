// A list that is looked at holds still: what comes while somebody points at a row, or has come to
// it by the keyboard, waits above it, and is told.
import type { Locator, Page } from "playwright-core";
import { expect, test, vi } from "vitest";
import { violations } from "../harness/accessibility.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { type Fleet, fleet, send } from "./browser-fleet.ts";
import { describeInBrowser, open } from "./in-browser.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const PATIENCE_MS = 60_000;

/** Jobs of these ids have succeeded. */
async function sent({ client }: Fleet, ids: readonly string[]): Promise<void> {
  for (const id of ids) await client.enqueue(send, { to: "ann" }, { id });
  for (const id of ids)
    await eventually(async () => (await client.job(id)).state === "succeeded", {
      ...{ withinMs: PATIENCE_MS, describe: `${id} has succeeded` },
    });
}

/** The first row, which newer ones would push down. */
async function listed(page: Page, { served }: Fleet): Promise<Locator> {
  await page.goto(`${served.url}jobs?queue=mail`);
  await page.getByText("Live", { exact: true }).waitFor();
  const link = page.getByRole("row").nth(1).getByRole("link").first();
  const id = (await link.textContent()) ?? "";
  return page.getByRole("row", { name: new RegExp(`^${id} `) });
}

describeInBrowser("lists that are looked at", (browserOf) => {
  describeServer("of a fleet", "newest", (server) => {
    test("what comes while somebody points at a row waits, is told, and comes when they want it or go", async () => {
      const made = await fleet(server);
      await sent(made, ["old"]);
      const { page, trouble } = await open(browserOf(), made.served.url);
      const row = await listed(page, made);
      const top = page.getByRole("row").nth(1);
      await row.hover();
      const before = await row.boundingBox();
      await sent(made, ["new-1", "new-2", "new-3"]);
      const told = page.getByRole("button", { name: "3 new" });
      await told.waitFor();
      expect(await row.boundingBox()).toEqual(before);
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        expect(await violations(page)).toEqual([]);
      }
      await told.click();
      await top.getByRole("link", { name: "new-3" }).waitFor();
      await told.waitFor({ state: "detached" });
      await row.hover();
      await sent(made, ["new-4"]);
      await page.getByRole("button", { name: "1 new" }).waitFor();
      expect(await top.getByRole("link", { name: "new-3" }).count()).toBe(1);
      await page.mouse.move(0, 0);
      await top.getByRole("link", { name: "new-4" }).waitFor();
      expect(trouble).toEqual([]);
    });

    test("what comes while somebody is in a list by the keyboard waits, and comes when they ask or leave", async () => {
      const made = await fleet(server);
      await sent(made, ["old"]);
      const { page, trouble } = await open(browserOf(), made.served.url);
      const row = await listed(page, made);
      const top = page.getByRole("row").nth(1);
      await page.keyboard.press("j");
      const before = await row.boundingBox();
      await sent(made, ["new-1", "new-2"]);
      const told = page.getByRole("button", { name: "2 new" });
      await told.waitFor();
      expect(await row.boundingBox()).toEqual(before);
      await told.press("Enter");
      await top.getByRole("link", { name: "new-2" }).waitFor();
      // The focus is still in the list.
      await sent(made, ["new-3"]);
      await page.getByRole("button", { name: "1 new" }).waitFor();
      await page.keyboard.press("/");
      await top.getByRole("link", { name: "new-3" }).waitFor();
      expect(trouble).toEqual([]);
    });
  });
});
