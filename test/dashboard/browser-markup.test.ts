// Whatever a producer or a handler can write is tried with markup, on each page that shows it: no
// script runs, nothing is made of it, and it stands there as the text that it is.
import { createNode, defineJob } from "millrace";
import type { Page } from "playwright-core";
import { expect, onTestFinished, test, vi } from "vitest";
import { bareClient } from "../harness/bare-client.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer, type TestServer } from "../harness/servers.ts";
import { type Fleet, fleet } from "./browser-fleet.ts";
import { describeInBrowser, heading, open } from "./in-browser.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const PATIENCE_MS = 60_000;

/** Markup that says where it was written: `Of` is what it would say of itself. */
const evil = (field: string): string =>
  `${field}<img src=x onerror="window.attacked='${field}'"><script>window.attacked='${field}'</script><evil-mark></evil-mark>`;

const work = defineJob<{ readonly customer: string }>({
  ...{ name: "evil.work", queue: "evil", retry: "none" },
  concurrency: { key: ({ customer }) => customer, limit: 1 },
});
const wait = defineJob({ name: "evil.wait", queue: "waits", steps: true });
const ends = defineJob({ name: "evil.ends", queue: "waits" });
const parent = defineJob({ name: "evil.parent", queue: "waits" });

interface Marked {
  readonly url: string;
  readonly operation: string;
  readonly malformed: readonly { readonly queue: string; readonly id: string }[];
}

/** A fleet in which every text is markup that anybody but an operator may have written. */
async function marked(server: TestServer): Promise<Marked> {
  const made = await fleet(server);
  const { connection, client } = made;
  const end = Promise.withResolvers<void>();
  const node = await createNode({
    ...{ ...connection, nodeName: "evil-node", jobLogs: "info", slots: 4 },
    jobs: [
      work.handler(async ({ log, progress }) => {
        log.info({ [evil("log key")]: evil("log value") }, evil("log line"));
        progress(0.5, evil("progress"));
        await end.promise;
      }),
      ends.handler(() => ({ [evil("result key")]: evil("result value") })),
      wait.handler(async ({ step }) => {
        await step.run(evil("step"), () => ({ [evil("step key")]: evil("step value") }));
        return step.waitFor("approval", { timeout: "7d" });
      }),
      parent.handler(() => {
        const error = new Error(evil("message"));
        error.name = evil("type");
        error.stack = `${evil("type")}: ${evil("message")}\n    at ${evil("frame")} (file:///srv/a.ts:1:1)`;
        throw error;
      }),
    ],
  });
  onTestFinished(() => node.stop());
  onTestFinished(() => end.resolve());
  await node.start();
  const customer = { customer: evil("limit key") };
  const headers = { "x-note": evil("header") };
  const tags = [evil("tag")];
  await client.enqueue(work, customer, { id: "runs", tags, headers });
  await eventually(async () => (await client.job("runs")).progress !== undefined, {
    ...{ withinMs: PATIENCE_MS, describe: "the first of the key runs" },
  });
  await client.enqueue(work, customer, { id: "waits", tags, unique: { key: evil("unique key") } });
  await client.enqueue(wait, undefined, { id: "steps" });
  await client.enqueue(ends, undefined, { id: "ends" });
  await client.enqueue(
    parent,
    { [evil("payload key")]: evil("payload value") },
    { id: "dies", tags, headers },
  );
  void client.lock(evil("lock"), { lease: "1h" }, () => end.promise).catch(() => {});
  const to = { by: evil("by"), reason: evil("reason") };
  await client.queues.pause("mail", to);
  await client.audit.perform(
    {
      action: "queues pause",
      filter: { queue: "mail", [evil("filter key")]: evil("filter") },
      ...to,
    },
    async () => ({ count: 1 }),
  );
  const begun = await client.operations.start({
    ...{ kind: "dead-discard", filter: { queue: "billing", where: 'message~"<b>"' } },
    ...to,
  });
  const malformed = await malformedJobs(server, made);
  await eventually(async () => (await client.job("ends")).state === "succeeded", {
    ...{ withinMs: PATIENCE_MS, describe: "the one with a result has ended" },
  });
  await eventually(async () => (await client.job("dies")).state === "dead", {
    ...{ withinMs: PATIENCE_MS, describe: "the one that fails is dead" },
  });
  await eventually(async () => (await client.locks.gates()).length > 0, {
    ...{ withinMs: PATIENCE_MS, describe: "the second of the key waits" },
  });
  await eventually(async () => (await client.job("steps")).steps?.length === 2, {
    ...{ withinMs: PATIENCE_MS, describe: "the job with steps waits" },
  });
  return { url: made.served.url, operation: begun.id, malformed };
}

/** What no client of ours would send: each names something by markup that is a word elsewhere. */
async function malformedJobs(server: TestServer, { connection, client }: Fleet) {
  const bare = await bareClient(server);
  const good = { name: "evil.work", payload: { customer: "bob" } };
  const bodies: Readonly<Record<string, object>> = {
    id: { ...good, id: evil("job id") },
    name: { ...good, name: evil("job name") },
    batch: { ...good, batch: evil("batch id") },
    parent: { ...good, parent: { id: evil("parent id"), queue: evil("parent queue") } },
    next: { ...good, next: [{ name: evil("next"), queue: evil("next queue") }] },
    tags: { ...good, tags: { [evil("tag key")]: 1 } },
    times: { ...good, createdAt: evil("time") },
    nothing: [evil("broken")],
  };
  for (const body of Object.values(bodies))
    await bare.publish(`${connection.namespace}.jobs.evil`, JSON.stringify(body), {
      "x-note": evil("header"),
      "Millrace-Name": evil("header name"),
      "Millrace-Node": evil("header node"),
      traceparent: evil("trace"),
    });
  const count = Object.keys(bodies).length;
  const letters = await eventually(
    async () => {
      const dead = await client.dead.list({ queue: "evil" });
      return dead.length >= count ? dead : undefined;
    },
    { withinMs: PATIENCE_MS, describe: "those that can't be read are dead letters" },
  );
  return letters.map(({ id }) => ({ queue: "evil", id }));
}

/** A part of a path: markup without a slash. */
function inPath(field: string): string {
  return encodeURIComponent(`${field}<img src=x onerror="window.attacked='${field}'">`);
}

/** A query whose values are markup. */
function of(...fields: readonly string[]): string {
  return new URLSearchParams(
    Object.fromEntries(fields.map((field) => [field, evil(field)])),
  ).toString();
}

/** The whole text stands on the page as it was written, or as much of it as is shown. */
async function says(page: Page, field: string): Promise<void> {
  await page.locator("main").getByText(`${field}<img src`).first().waitFor();
}

/** Nothing ran, and nothing was made of it. */
async function isPlain(page: Page, where: string): Promise<void> {
  const made = await page.evaluate(`({
    attacked: globalThis.attacked ?? "no",
    elements: [
      ...document.querySelectorAll(
        "evil-mark, img, iframe, object, embed, [onerror], [onload], a[href^='javascript:' i]",
      ),
    ].map(({ outerHTML }) => outerHTML),
    scripts: document.querySelectorAll("script:not([src])").length,
  })`);
  expect(made, where).toEqual({ attacked: "no", elements: [], scripts: 0 });
}

describeInBrowser("markup in what the dashboard shows", (browserOf) => {
  describeServer("of a fleet", "newest", (server) => {
    test("stays text on each page, whatever field it stands in", async () => {
      const { url, operation, malformed } = await marked(server);
      const { page, trouble } = await open(browserOf(), url);
      for (const [path, fields] of [
        ["", []],
        ["queues/mail", ["by", "reason"]],
        ["queues/evil", []],
        ["jobs", []],
        ["jobs?state=running", []],
        ["jobs?state=blocked", []],
        ["jobs/evil/runs", ["progress", "log line", "log key", "log value"]],
        ["jobs/evil/waits", []],
        ["jobs/waits/steps", ["step", "step key", "step value"]],
        ["jobs/waits/ends", ["result key", "result value"]],
        ["jobs/waits/dies", ["type", "message", "frame", "payload key", "payload value", "header"]],
        ["errors", ["type", "message"]],
        ["limits", ["limit key", "lock"]],
        ["nodes", []],
        ["machines/claim/c-1", []],
        ["schedules", []],
        ["operations", ["by"]],
        [`operations/${operation}`, ["by", "reason"]],
        ["audit", ["by", "reason", "filter"]],
        ["outbox", []],
        ["doctor", []],
        // What a link of a stranger can say.
        [`jobs?filter=${encodeURIComponent(evil("filter"))}`, []],
        [`jobs?name=${encodeURIComponent(evil("name"))}&queue=evil`, []],
        [`jobs/evil/${inPath("id")}`, ["id"]],
        [`queues/${inPath("queue")}`, ["queue"]],
        [`machines/claim/${inPath("machine")}`, ["machine"]],
        [`operations/${inPath("operation")}`, []],
        [`errors/cause?${of("error", "queue", "name", "reason")}`, []],
      ] as const) {
        await page.goto(`${url}${path}`);
        await page.getByText("Live", { exact: true }).waitFor();
        await page.getByText("Loading…").first().waitFor({ state: "detached" });
        await page.evaluate(
          `for (const details of document.querySelectorAll("main details")) details.open = true`,
        );
        for (const field of fields) await says(page, field);
        await isPlain(page, path);
      }
      for (const { queue, id } of malformed) {
        await page.goto(`${url}jobs/${queue}/${encodeURIComponent(id)}`);
        await heading(page, `Job ${id}`);
        await page.getByText("Headers", { exact: true }).click();
        await page.getByRole("button", { name: "Show what is masked" }).click();
        await page.getByRole("button", { name: "Mask again" }).waitFor();
        await says(page, "header");
        await isPlain(page, id);
      }
      // What is asked for by a stranger's link is refused, and the browser logs that.
      const refused = /the server responded with a status of 40[04]/;
      expect(trouble.filter((said) => !refused.test(said))).toEqual([]);
    });
  });
});
