// The film strip of docs/dashboard.md, played. With MILLRACE_PICTURES=1 its pictures are written.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect, createNode, defineJob, openJobIndex } from "millrace";
import { serveDashboard } from "millrace/dashboard";
import { expect, onTestFinished, test, vi } from "vitest";
import { findBrowser } from "../harness/browser.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const found = await findBrowser();
const title = found.state === "present" ? "in Chromium" : `no Chromium: ${found.reason}`;
const FOLDER = join(import.meta.dirname, "../../docs/dashboard");
const PATIENCE_MS = 120_000;
const COUNT = 500;
const charge = defineJob<{ readonly order: number }>({
  ...{ name: "billing.charge", queue: "billing", retry: "none" },
});

describeServer(`the film strip, ${title}`, "newest", (server) => {
  test.skipIf(found.state === "missing")(
    "500 jobs die of one cause; an operator finds the group, sees the stack, retries all, and sees them succeed",
    async () => {
      if (found.state === "missing") return;
      let isUp = false;
      const connection = { servers: server.url, namespace: server.namespace(), env: {} };
      const node = await createNode({
        ...connection,
        nodeName: "worker-1",
        jobs: [
          charge.handler(({ input: { order } }) => {
            if (isUp) return { charged: order };
            const error = new Error(`The bank refused the card of order ${order}`);
            error.name = "CardDeclined";
            error.stack = `${error.name}: ${error.message}\n    at charge (file:///srv/shop/billing.ts:21:11)\n    at handle (file:///srv/shop/jobs.ts:48:18)`;
            throw error;
          }),
        ],
      });
      onTestFinished(() => node.stop());
      await node.start();
      const client = await connect(connection);
      onTestFinished(() => client.close());
      await client.enqueueMany(
        charge,
        Array.from({ length: COUNT }, (_, n) => ({ input: { order: 1_000 + n } })),
      );
      await eventually(async () => (await client.jobs.count({ state: "dead" })) === COUNT, {
        ...{ withinMs: PATIENCE_MS, describe: "all of them are dead" },
      });
      const search = await openJobIndex({ broker: client.broker, mask: client.mask });
      onTestFinished(() => search.close());
      await search.caughtUp();
      const served = await serveDashboard({
        ...{ millrace: client, port: 0, localName: "ada@example.com", title: "shop", search },
      });
      onTestFinished(() => served.close());
      const browser = await found.launch();
      onTestFinished(() => browser.close());
      const page = await browser.newPage({
        ...{ locale: "en-GB", timezoneId: "UTC", viewport: { width: 1_000, height: 560 } },
      });
      page.setDefaultTimeout(PATIENCE_MS);
      const pictures: string[] = [];
      const picture = async (name: string): Promise<void> => {
        await page.getByText("Loading…").waitFor({ state: "detached" });
        const image = await page.screenshot();
        pictures.push(image.toString("base64"));
        if (process.env["MILLRACE_PICTURES"] === undefined) return;
        await mkdir(FOLDER, { recursive: true });
        await writeFile(join(FOLDER, `film-${pictures.length}-${name}.png`), image);
      };

      await page.goto(served.url);
      const problem = page.getByRole("link", { name: `${COUNT} dead letters in queue billing.` });
      await problem.waitFor();
      await picture("overview");
      await problem.click();
      await page.getByRole("link", { name: "CardDeclined" }).waitFor();
      await picture("causes");
      await page.getByRole("link", { name: "CardDeclined" }).click();
      await page.getByText("file:///srv/shop/billing.ts:21:11").waitFor();
      await picture("stack");
      isUp = true;
      await page.getByRole("button", { name: "Retry all" }).click();
      const dialog = page.getByRole("dialog", { name: `Retry ${COUNT} dead letters?` });
      await dialog.waitFor();
      await picture("question");
      await dialog.getByRole("button", { name: "Retry all" }).click();
      await page.getByText(`${COUNT} of ${COUNT} done`, { exact: true }).waitFor();
      await picture("done");
      await eventually(
        async () => {
          const settled = await client.jobs.list({ queue: "billing", limit: COUNT });
          return settled.length === COUNT && settled.every(({ state }) => state === "succeeded");
        },
        { withinMs: PATIENCE_MS, describe: "all of them succeeded" },
      );
      await page.goto(`${served.url}jobs?queue=billing&limit=500`);
      const succeeded = page.getByRole("row").filter({ hasText: "succeeded" });
      await succeeded.nth(COUNT - 1).waitFor();
      expect(await succeeded.count()).toBe(COUNT);
      await picture("succeeded");
      expect(new Set(pictures).size).toBe(6);
    },
  );
});
