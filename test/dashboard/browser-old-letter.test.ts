// A dead letter stays until somebody takes it, and the history forgets its job after some days.
import { expect, test, vi } from "vitest";
import { violations } from "../harness/accessibility.ts";
import { administrator } from "../harness/administrator.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { fleet } from "./browser-fleet.ts";
import { describeInBrowser, heading, open } from "./in-browser.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const PATIENCE_MS = 60_000;

describeInBrowser("a dead letter that is older than the history", (browserOf) => {
  describeServer("of a fleet", "newest", (server) => {
    test("is understood, and its job lives again, from its page", async () => {
      const { client, connection, served, bankIsUp } = await fleet(server);
      const [letter] = await client.dead.list({ queue: "billing", limit: 1 });
      const id = letter?.id ?? "none";
      const { jsm } = await administrator(server);
      await jsm.streams.purge(`${connection.namespace}-history`);
      const { page, trouble } = await open(browserOf(), served.url);
      await page.goto(`${served.url}errors?dead=only`);
      await heading(page, "Errors");
      await page.getByRole("link", { name: /^CardDeclined/ }).click();
      await heading(page, /^CardDeclined.* in billing$/);
      await page.getByRole("region", { name: "Stack of the last one" }).waitFor();
      await page.getByRole("link", { name: id, exact: true }).last().click();
      await heading(page, `Job ${id}`);
      await page.getByText("The history has nothing of it any more").waitFor();
      await page.getByRole("region", { name: "Stack of attempt 2" }).waitFor();
      await page.getByRole("region", { name: "Payload as JSON" }).getByText('"customer"').waitFor();
      expect(await violations(page)).toEqual([]);
      await page.getByRole("link", { name: "All that failed of this" }).click();
      await heading(page, /^CardDeclined.* in billing$/);
      await page.goBack();
      bankIsUp();
      await page.getByRole("button", { name: "Enqueue again" }).click();
      const dialog = page.getByRole("dialog", { name: `Give the job ${id} a new life?` });
      await dialog.getByRole("button", { name: "Enqueue again" }).click();
      await eventually(async () => (await client.job(id)).state === "succeeded", {
        withinMs: PATIENCE_MS,
        describe: "the job has succeeded",
      });
      expect(trouble).toEqual([]);
    });
  });
});
