import type { Locator } from "playwright-core";
import { createNode, defineJob } from "millrace";
import { expect, onTestFinished, test, vi } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { violations } from "../harness/accessibility.ts";
import { charge, fleet } from "./browser-fleet.ts";
import { describeInBrowser, heading, open } from "./in-browser.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const KEY = "k-1234567890";
const CHANGES = "What changes, as JSON";
const WHOLE = "The whole payload, as JSON";

describeInBrowser("payloads of the dashboard", (browserOf) => {
  describeServer("of a fleet", "newest", (server) => {
    test("who may looks at a payload, which is on record, changes it, and sees the job succeed", async () => {
      const { client, served, bankIsUp } = await fleet(server);
      for (const id of ["first", "second"])
        await client.enqueue(charge, { customer: "ann", amount: 7, apiKey: KEY } as never, { id });
      await eventually(
        async () => (await client.dead.list({ where: "id=first OR id=second" })).length === 2,
        {
          ...{ withinMs: 60_000, describe: "both are dead" },
        },
      );
      const { page, trouble } = await open(browserOf(), served.url);
      const payload = page.getByRole("region", { name: "Payload as JSON" });
      await page.goto(`${served.url}jobs/billing/first`);
      await heading(page, "Job first");
      await payload.getByText('"***"').waitFor();
      const fields = page.getByRole("region", { name: /^Fields of the error of attempt/ }).first();
      expect(await fields.textContent()).toMatch(/"code": "declined.*"apiKey": "\*\*\*"/s);
      await page.getByRole("button", { name: "Show what is masked" }).click();
      await payload.getByText(KEY).waitFor();
      expect(await violations(page)).toEqual([]);
      const record = { action: "jobs reveal", by: "ada@example.com" };
      expect(await client.audit.list()).toMatchObject([record]);
      // Of another job nothing is shown that was asked for this one.
      await page.evaluate('history.pushState(null, "", "/jobs/billing/second")');
      await heading(page, "Job second");
      await payload.getByText('"***"').waitFor();
      expect(await page.getByText(KEY).count()).toBe(0);
      await page.goBack();
      await heading(page, "Job first");
      expect(await page.getByText(KEY).count()).toBe(0);
      bankIsUp();
      await page.getByRole("button", { name: "Edit and enqueue" }).click();
      const dialog = page.getByRole("dialog", { name: "Enqueue first with another payload?" });
      const field = dialog.getByLabel(CHANGES);
      await field.fill('{"amount":');
      await dialog.getByRole("button", { name: "Edit and enqueue" }).click();
      await dialog.getByRole("alert").filter({ hasText: "JSON" }).waitFor();
      expect(await violations(page)).toEqual([]);
      await field.fill('{"amount":99}');
      await dialog.getByRole("button", { name: "Edit and enqueue" }).click();
      await page
        .getByRole("region", { name: "Result as JSON" })
        .getByText('"charged": 99')
        .waitFor();
      expect(await client.audit.list()).toMatchObject([{ action: "dead edit" }, record]);
      // A job that waits has its payload on its page, too.
      const options = { id: "third", delay: "1h", tags: ["vip"] } as const;
      await client.enqueue(charge, { customer: "eve", amount: 3, apiKey: KEY } as never, options);
      await page.goto(`${served.url}jobs/billing/third`);
      await heading(page, "Job third");
      await payload.getByText('"eve"').waitFor();
      await page.getByText("Tags: vip").waitFor();
      expect(await page.getByText(KEY).count()).toBe(0);
      expect(await violations(page)).toEqual([]);
      await page.getByRole("button", { name: "Show what is masked" }).click();
      await payload.getByText(KEY).waitFor();
      expect(trouble).toEqual([]);
    });

    test("a dead job is edited as a whole only where JSON holds all of its payload", async () => {
      const { client, connection, served } = await fleet(server);
      const inputs: unknown[] = [];
      const print = defineJob<unknown>({ name: "print", queue: "printer", retry: "none" });
      const handled = print.handler(({ input }) => {
        inputs.push(input);
        if ((input as { readonly to?: string }).to !== "ada") throw new Error("no such address");
      });
      const node = await createNode({ ...connection, jobs: [handled] });
      onTestFinished(() => node.stop());
      await node.start();
      const kept = { pdf: new Uint8Array(17), at: new Date(5), score: Number.NaN };
      await client.enqueue(print, { to: "nobody", ...kept }, { id: "native" });
      await client.enqueue(print, { to: "nobody", n: 1 }, { id: "plain" });
      await client.enqueue(print, new Uint8Array(17), { id: "scan" });
      await eventually(async () => (await client.dead.list({ queue: "printer" })).length === 3, {
        ...{ withinMs: 60_000, describe: "all are dead" },
      });
      const { page, trouble } = await open(browserOf(), served.url);
      const edit = page.getByRole("button", { name: "Edit and enqueue" });
      const opened = async (id: string) => {
        await page.goto(`${served.url}jobs/printer/${id}`);
        await heading(page, `Job ${id}`);
        await page.getByRole("button", { name: "Show what is masked" }).click();
        await page.getByRole("button", { name: "Mask again" }).waitFor();
        await edit.click();
        return page.getByRole("dialog", { name: `Enqueue ${id} with another payload?` });
      };
      /** Until the job has run once more, with what is written. */
      const enqueued = async (dialog: Locator, label: string, json: string): Promise<void> => {
        const before = inputs.length;
        await dialog.getByLabel(label).fill(json);
        await dialog.getByRole("button", { name: "Edit and enqueue" }).click();
        await eventually(() => inputs.length === before + 1, {
          ...{ withinMs: 60_000, describe: `a job runs again with ${json}` },
        });
      };
      const dialog = await opened("native");
      await dialog.getByText("it holds what JSON has no form for").waitFor();
      expect(await dialog.getByLabel(CHANGES).inputValue()).toBe("{}");
      expect(await violations(page)).toEqual([]);
      await enqueued(dialog, CHANGES, '{"to":"ada"}');
      expect(inputs.at(-1)).toEqual({ to: "ada", ...kept });
      const plain = await opened("plain");
      const text = await plain.getByLabel(WHOLE).inputValue();
      expect(JSON.parse(text)).toEqual({ to: "nobody", n: 1 });
      expect(await plain.locator("p:empty").count()).toBe(0);
      await enqueued(plain, WHOLE, '{"to":"ada"}');
      expect(inputs.at(-1)).toEqual({ to: "ada" });
      const scan = await opened("scan");
      await scan.getByText("No part of the payload can be changed").waitFor();
      expect(await scan.getByLabel(WHOLE).inputValue()).toBe("");
      expect(await violations(page)).toEqual([]);
      await enqueued(scan, WHOLE, '{"to":"ada","n":2}');
      expect(inputs.at(-1)).toEqual({ to: "ada", n: 2 });
      expect(trouble).toEqual([]);
    });
  });
});
