// How every page looks from its top to its end, in both themes. With MILLRACE_PICTURES=1 the
// pictures are written anew.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineJob, openJobIndex } from "millrace";
import { serveDashboard } from "millrace/dashboard";
import type { Browser, Page } from "playwright-core";
import { PNG } from "pngjs";
import { expect, onTestFinished, test, vi } from "vitest";
import { claim } from "./claim.ts";
import { answerTo, describeInBrowser } from "./in-browser.ts";
import { averaged, difference } from "./picture.ts";
import { ask, scene, send } from "./scene.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const FOLDER = join(import.meta.dirname, "looks");
/** Blocks: a badge of another colour is more. */
const MOST = 15;
/** Where docs/dashboard.md has each page in both themes. */
const DOCS = join(import.meta.dirname, "../../docs/dashboard/pages");
const SIZE = { width: 1_200, height: 800 };
const THEMES = ["light", "dark"] as const;

const close = defineJob<string>({ name: "books.close", queue: "books", singleton: true });

/** Its stack names no folder of this machine. */
const pay = defineJob<number>({ name: "billing.pay", queue: "billing", retry: "none" });
const declines = pay.handler(({ input, log }) => {
  log.info({ card: input }, "asking the bank");
  const error = new Error(`The bank refused the card of order ${input}`);
  error.name = "CardDeclined";
  error.stack = `CardDeclined: ${error.message}\n    at pay (file:///srv/shop/billing.ts:21:11)`;
  throw error;
});

const CAUSE = {
  ...{ queue: "billing", name: "billing.pay" },
  ...{ error: "CardDeclined", fingerprint: "70cd90a96994" },
};
const PAGES: Readonly<Record<string, string>> = {
  overview: "",
  queue: "queues/mail",
  jobs: "jobs",
  delayed: "jobs?state=delayed",
  job: "jobs/billing/c-3",
  steps: "jobs/mail/letter-1",
  errors: "errors",
  cause: `errors/cause?${new URLSearchParams(CAUSE).toString()}`,
  schedules: "schedules",
  machines: "machines",
  machine: "machines/claim/c-1",
  chart: "machines?machine=claim",
  runtime: "machines/runtime",
  nodes: "nodes",
  limits: "limits",
  operations: "operations",
  operation: "operations/OPERATION",
  audit: "audit",
  outbox: "outbox",
  doctor: "doctor",
  nothing: "there/is/no/such/page",
};

interface Standing {
  readonly url: string;
  readonly now: number;
  /** The id of one that has ended. */
  readonly operation: string;
}

/** It jams twice, and prints then. */
const print = defineJob<number>({
  ...{ name: "paper.print", queue: "paper", retry: { attempts: 3, base: "1s", jitter: false } },
});
const jams = print.handler(({ input, attempt }) => {
  if (attempt === 3) return "printed";
  const error = new Error(`The paper jams in tray ${input}`);
  error.name = "PaperJam";
  error.stack = `PaperJam: ${error.message}\n    at feed (file:///srv/shop/printer.ts:8:3)`;
  throw error;
});

/** A fleet in memory whose clock stands: it looks the same wherever and whenever it is made. */
async function standing(): Promise<Standing> {
  const end = Promise.withResolvers<void>();
  const { t } = await scene({ jobs: [declines, jams, close.handler(() => end.promise)] });
  onTestFinished(() => end.resolve());
  for (let n = 0; n < 6; n += 1) await t.enqueue(pay, n, { id: `c-${n}` });
  for (let n = 0; n < 4; n += 1) await t.enqueue(print, n, { id: `p-${n}` });
  for (let n = 0; n < 9; n += 1) await t.enqueue(send, { n }, { id: `m-${n}` });
  await t.drain();
  await t.enqueue(send, { n: 10 }, { id: "later", delay: "2h" });
  await t.enqueue(ask, undefined, { id: "letter-1" });
  const machine = t.machine(claim, "c-1");
  await machine.start({ customer: "ann" });
  await machine.send({ type: "NOTE", note: "seen" });
  await t.client.audit.perform(
    { action: "queues pause", filter: { queue: "mail" }, by: "ada", reason: "the bank is away" },
    () => t.client.queues.pause("mail", { by: "ada", reason: "the bank is away" }),
  );
  // Records of the audit are in the order of their times.
  await t.clock.advance("1s");
  const operation = await t.client.operations.start({
    ...{ kind: "dead-discard", filter: { queue: "billing", id: "c-0" }, by: "ada" },
  });
  await t.client.queues.set("books", { concurrency: 5, rate: { limit: 100, per: "1s" } });
  for (const id of ["b-1", "b-2", "b-3"]) await t.enqueue(close, id, { id });
  await t.clock.advance("30s");
  const { broker, mask } = t.client;
  const search = await openJobIndex({ broker, mask, clock: t.clock });
  onTestFinished(() => search.close());
  await search.caughtUp();
  const served = await serveDashboard({
    ...{ millrace: t.client, clock: t.clock, port: 0, localName: "ada", title: "shop", search },
    outbox: {
      status: async () => [{ queue: "mail", waiting: 2, oldestAgeMs: 90_000, setAside: 1 }],
      listSetAside: async () => [
        { seq: 1, id: "bad", queue: "mail", reason: "undecodable", detail: "?", ageMs: 60_000 },
      ],
      retry: async () => 0,
    },
    doctor: async () => [
      { check: "server-version", status: "ok", message: "It is new enough." },
      { check: "queue mail", status: "warn", message: "It is paused.", advice: "Resume it." },
    ],
  });
  onTestFinished(() => served.close());
  return { url: served.url, now: t.clock.now(), operation: operation.id };
}

/** The letters' shapes come along, and what the machine says of itself is called otherwise. */
async function openStanding(
  browser: Browser,
  { url, now, operation }: Standing,
  colorScheme: (typeof THEMES)[number],
): Promise<{ page: Page; show: (path: string, plantedStyle?: string) => Promise<PNG> }> {
  const context = await browser.newContext({
    ...{ locale: "en-GB", timezoneId: "UTC", viewport: SIZE, reducedMotion: "reduce", colorScheme },
    // For the style that is put in; what is served has the policy all the same.
    bypassCSP: true,
  });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  await page.clock.setFixedTime(now);
  await page.route("**/api/overview", async (route) => {
    const answer = await answerTo(route);
    const text = await answer.text();
    const fixed = text
      .replaceAll(/"host":"[^"]*","pid":\d+/g, '"host":"web-1","pid":17')
      .replaceAll(
        /"version":"[^"]*","engine":"[^"]*","memory":\{[^}]*\}/g,
        '"version":"1.0.0","engine":"Node.js 24.1.0","memory":{"rssBytes":190840832,"heapBytes":67108864}',
      );
    await route.fulfill({ response: answer, body: fixed });
  });
  const style = await styleOfTheTest();
  return {
    page,
    show: async (path, plantedStyle = "") => {
      await page.goto(`${url}${path.replace("OPERATION", operation)}`);
      await page.addStyleTag({ content: `${style}\n${plantedStyle}` });
      await page.getByText("Live", { exact: true }).waitFor();
      await page.getByText("Loading…").first().waitFor({ state: "detached" });
      // Plots have their place before they are answered, and say what they come to after that.
      await page.waitForFunction(
        "[...document.querySelectorAll('.plots figcaption')].every(({ textContent }) => textContent !== '')",
      );
      // Its stack is asked for once the group is known.
      if (path.startsWith("errors/cause"))
        await page.getByText("file:///srv/shop/billing.ts").waitFor();
      if (/^machines.*claim/.test(path)) await page.locator(".chart svg").waitFor();
      await page.evaluate("document.fonts.ready.then(() => {})");
      return averaged(
        await page.screenshot({ animations: "disabled", caret: "hide", fullPage: true }),
      );
    },
  };
}

/** A fifth of what a PNG takes. */
async function compressed(page: Page): Promise<Buffer> {
  await page.addStyleTag({ content: "canvas { visibility: visible !important; }" });
  const shown = await page.screenshot({ animations: "disabled", caret: "hide" });
  const drawing = await page.context().newPage();
  const address = await drawing.evaluate<string>(`(async () => {
    const image = new Image();
    image.src = "data:image/png;base64,${shown.toString("base64")}";
    await image.decode();
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: image.width, height: image.height });
    canvas.getContext("2d").drawImage(image, 0, 0);
    return canvas.toDataURL("image/webp", 0.8);
  })()`);
  await drawing.close();
  return Buffer.from(address.split(",")[1] ?? "", "base64");
}

async function styleOfTheTest(): Promise<string> {
  const regular = createRequire(import.meta.url).resolve(
    "@fontsource/inter/files/inter-latin-400-normal.woff2",
  );
  const faces = await Promise.all(
    ["400", "600", "700"].map(async (weight) => {
      const file = await readFile(regular.replace("-400-", `-${weight}-`));
      const source = `url(data:font/woff2;base64,${file.toString("base64")})`;
      return `@font-face { font-family: Test; font-weight: ${weight}; src: ${source}; }`;
    }),
  );
  return [
    ...faces,
    "* { font-family: Test !important; text-rendering: geometricPrecision !important; }",
    // Plots write with the machine's own letters.
    "canvas { visibility: hidden !important; }",
  ].join("\n");
}

describeInBrowser("how the dashboard looks", (browserOf) => {
  test.each(THEMES)("every page looks as in its picture: %s", async (theme) => {
    const fleet = await standing();
    const { page, show } = await openStanding(browserOf(), fleet, theme);
    const differs: string[] = [];
    for (const [name, path] of Object.entries(PAGES)) {
      const file = `${name}-${theme}.png`;
      const seen = await show(path);
      if (process.env["MILLRACE_PICTURES"] !== undefined) {
        for (const folder of [FOLDER, DOCS]) await mkdir(folder, { recursive: true });
        await writeFile(join(FOLDER, file), PNG.sync.write(seen));
        await writeFile(join(DOCS, `${name}-${theme}.webp`), await compressed(page));
        continue;
      }
      const off = difference(PNG.sync.read(await readFile(join(FOLDER, file))), seen);
      if (off <= MOST) continue;
      const written = join(tmpdir(), `millrace-looks-${file}`);
      await writeFile(written, PNG.sync.write(seen));
      differs.push(`${file}: ${off} blocks differ; as it is now: ${written}`);
    }
    expect(differs).toEqual([]);
  });

  test.each([
    ["a button that moved", "jobs/billing/c-3", ".actions { margin-right: 3rem }"],
    ["a table that is looser", "jobs", "td { padding-block: 0.6rem !important }"],
    ["another colour of what is dead", "jobs/billing/c-3", ".badge { filter: invert(1) }"],
    ["a heading that is gone", "limits", "h2 { display: none }"],
    ["letters that are larger", "audit", "table { font-size: 1.05rem !important }"],
  ])("%s is seen", async (_what, path, planted) => {
    const fleet = await standing();
    const { show } = await openStanding(browserOf(), fleet, "light");
    const before = await show(path);
    expect(difference(before, await show(path))).toBeLessThanOrEqual(MOST / 4);
    expect(difference(before, await show(path, planted))).toBeGreaterThan(MOST);
  });
});
