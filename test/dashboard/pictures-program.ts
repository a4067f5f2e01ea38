// Takes the pictures of docs/dashboard.md: node test/dashboard/pictures-program.ts FOLDER
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { launchServer, obtainServer } from "@millrace/nats-server";
import { connect, createNode, defineJob, openJobIndex } from "millrace";
import { serveDashboard } from "millrace/dashboard";
import { findBrowser } from "../harness/browser.ts";

const folder = process.argv[2] ?? ".";
const charge = defineJob<{ readonly order: number }>({
  name: "billing.charge",
  queue: "billing",
  retry: { attempts: 3, base: "400ms", jitter: false },
});
const send = defineJob<{ readonly to: string }>({
  name: "mail.send",
  queue: "mail",
  retry: { base: "200ms" },
});
const report = defineJob({ name: "report.build", queue: "reports" });

const { path } = await obtainServer();
await using server = await launchServer({ path });
const connection = { servers: server.url, env: {} };
const node = await createNode({
  ...connection,
  nodeName: "worker-1",
  jobLogs: "info",
  jobs: [
    charge.handler(({ input: { order }, log, attempt }) => {
      log.info({ order, attempt }, "asking the bank");
      if (order % 4 !== 0) return { charged: order };
      const error = new Error(`The bank refused the card of order ${order}`);
      error.name = "CardDeclined";
      log.warn({ status: 402 }, "the bank said no");
      error.stack = `${error.name}: ${error.message}\n    at charge (file:///srv/shop/billing.ts:21:11)\n    at handle (file:///srv/shop/jobs.ts:48:18)`;
      throw error;
    }),
    send.handler(({ input: { to }, attempt }) => {
      if (attempt > 1 || !to.startsWith("reader-3")) return { sent: to };
      const error = new Error(`421 too many connections from ${to}`);
      error.name = "SmtpError";
      error.stack = `${error.name}: ${error.message}\n    at deliver (file:///srv/shop/mail.ts:34:9)`;
      throw error;
    }),
    report.handler(({ signal }) => setTimeout(60_000, null, { signal }).catch(() => null)),
  ],
});
await node.start();
await using client = await connect(connection);
await using search = await openJobIndex({ broker: client.broker, mask: client.mask });
await using served = await serveDashboard({
  millrace: client,
  search,
  port: 0,
  localName: "ada@example.com",
  title: "shop",
});
const found = await findBrowser();
if (found.state === "missing") throw new Error(`There is no Chromium: ${found.reason}`);
const browser = await found.launch();
const page = await browser.newPage({
  ...{ locale: "en-GB", timezoneId: "UTC", colorScheme: "light" },
  viewport: { width: 1_100, height: 700 },
});
await page.goto(served.url);
// More than there are slots for until the second sample is taken.
for (let n = 0; n < 48; n += 1) await client.enqueue(report, null);
await client.enqueue(send, { to: "later@example.com" }, { delay: "2h" });
for (let round = 0; round < 40; round += 1) {
  for (let n = 0; n < 4 + (round % 7); n += 1) {
    await client.enqueue(send, { to: `reader-${n}@example.com` });
    await client.enqueue(charge, { order: 1_000 + round * 10 + n });
  }
  await setTimeout(1_000);
}
const picture = (name: string) => page.screenshot({ path: join(folder, `${name}.png`) });
await setTimeout(6_000);
// Samples are taken once a minute.
await page
  .getByRole("img", { name: /^at most/ })
  .first()
  .waitFor({ timeout: 120_000 });
await picture("overview");
await page.emulateMedia({ colorScheme: "dark" });
await page.getByRole("link", { name: /dead letters in queue billing/ }).click();
await page.getByRole("link", { name: "Show all queues" }).click();
await page.getByLabel("Show").selectOption("");
await page.getByRole("link", { name: "SmtpError" }).waitFor();
await picture("errors");
await page.getByRole("link", { name: "CardDeclined" }).click();
await page.getByText("file:///srv/shop").waitFor();
await page.waitForTimeout(500);
await picture("cause");
await page.emulateMedia({ colorScheme: "light" });
await page.getByRole("heading", { name: "The last one" }).getByRole("link").click();
await page.getByText("waited for a slot").first().waitFor();
await page.waitForTimeout(500);
await page.screenshot({ path: join(folder, "job.png"), fullPage: true });
await page.goBack();
await page.emulateMedia({ colorScheme: "dark" });
await page.getByRole("button", { name: "Retry all" }).click();
await page.getByRole("dialog").getByRole("button", { name: "Retry all" }).click();
await page.getByRole("heading", { level: 1, name: "Retry dead letters" }).waitFor();
await page.getByText("Live", { exact: true }).waitFor();
await page.getByRole("button", { name: "Stop" }).waitFor({ state: "detached" });
await picture("operation");
await browser.close();
await node.stop({ immediate: true });
