import { globSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { gzipSync } from "node:zlib";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ERROR_CODES, type ErrorCode } from "@millrace/core";
import type { BrowserContextOptions } from "playwright-core";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { violations } from "../harness/accessibility.ts";
import { errorAddress } from "../../packages/core/src/errors/error-help.ts";
import type { StreamSettings } from "../../site/simulator/settings.ts";
import { findBrowser } from "../harness/browser.ts";
import { runCommand } from "../packaging/run-command.ts";
import { DIST, openSite, scriptsRun, SITE } from "./open-site.ts";
import { PHONE, phoneFaults } from "./phone.ts";
import { faultsForReaders } from "./readers.ts";
import { bars, moveTo, nodeBars, PLAYGROUND } from "./playground.ts";

const ROOT = resolve(import.meta.dirname, "../..");
/** Of page, styles and scripts, as a server that compresses sends them. */
const MOST_KB = 300;
/** The search's index is loaded when somebody searches. */
const MOST_KB_OF_SEARCH = 200;

/** What a user asks, and the page that answers. */
const QUESTIONS: readonly (readonly [question: string, page: string])[] = [
  ["how do I stop a worker in my own process?", "workers"],
  ["does an id last for ever?", "producers"],
  ["how do I see why it failed?", "retries"],
  ["first job in 15 minutes", "tutorial"],
  ["how many attempts does a job have?", "retries"],
  ["how do I run a job every night?", "scheduling"],
  ["enqueue in a database transaction", "outbox"],
  ["test a job without a server", "testing"],
  ["kubernetes helm chart", "deploy"],
  ["express route", "frameworks"],
  ["bullmq equivalent", "migrating"],
  ["publish-timeout", "errors"],
  ["rate limit per customer", "concurrency"],
  ["cancel a running job", "cancel"],
  ["progress bar in the browser", "frameworks"],
  ["hide passwords in logs", "masking"],
  ["upgrade nodes without downtime", "upgrading"],
  ["prometheus metrics", "metrics"],
  ["what happens when nats is down?", "outages"],
  ["bundle with esbuild", "runtimes"],
  ["human approval", "approval"],
  ["environment variable for the server address", "configuration"],
  ["graceful shutdown on SIGTERM", "workers"],
  ["how long can a job run", "jobs"],
  ["send an email tomorrow at 9", "delays"],
  ["limit concurrency to 2 per user", "concurrency"],
  ["how do I know a job succeeded", "outcomes"],
  ["what is a dead letter", "retries"],
  ["run only one instance of a job at a time", "concurrency"],
  ["rolling back a deployment", "upgrading"],
  ["daylight saving time", "scheduling"],
  ["my job runs twice", "idempotency"],
  ["exponential backoff", "retries"],
  ["authentication for the dashboard", "dashboard"],
  ["zod schema validation", "jobs"],
  ["enqueue from python", "wire-protocol"],
  ["delete all jobs in a queue", "queues"],
  ["debounce", "unique"],
  ["workflow with sleep for days", "durable-steps"],
  ["does it work with bun", "runtimes"],
  ["job stuck in running", "operations"],
  ["how to back up and restore", "operations"],
  ["JobOptions", "JobOptions"],
  ["stopOnSignals", "stopOnSignals"],
  ["drizzleTransaction", "drizzleTransaction"],
];

/** What programs import, and the file that lists its exports. */
const IMPORTS: readonly (readonly [name: string, file: string])[] = [
  ["millrace", "packages/millrace/src/index.ts"],
  ["millrace/dashboard", "packages/dashboard/src/index.ts"],
  ["millrace/outbox", "packages/millrace/src/outbox/index.ts"],
  ["millrace/telemetry", "packages/millrace/src/telemetry/index.ts"],
  ["millrace/testing", "packages/millrace/src/testing/index.ts"],
  ["@millrace/testkit", "packages/testkit/src/index.ts"],
];

/** Each control of the playground, moved from where it stands first. */
const MOVES: readonly (readonly [label: string, value: number, Partial<StreamSettings>])[] = [
  ["Jobs enqueued each second", 10, { perSecond: 10 }],
  ["An attempt takes", 40, { tenths: 40 }],
  ["Slots of the node", 1, { slots: 1 }],
  ["Cap for each customer", 0, { cap: 0 }],
  ["Rate for each customer", 4, { rate: 4 }],
  ["Jobs in the high lane", 100, { high: 100 }],
  ["Attempts that fail", 70, { failing: 70 }],
  ["Attempts of a job", 1, { attempts: 1 }],
];

/** A page of the reference of each kind; the others are made in the same way. */
const KINDS = [
  "reference/millrace/index.html",
  "reference/millrace/classes/MillraceError.html",
  "reference/millrace/functions/connect.html",
  "reference/millrace/interfaces/JobOptions.html",
  "reference/millrace/type-aliases/Duration.html",
  "reference/millrace/variables/ERROR_CODES.html",
];
const CODES = Object.keys(ERROR_CODES) as readonly ErrorCode[];
const found = await findBrowser();
const inBrowser = found.state === "present" ? "in Chromium" : `(no Chromium: ${found.reason})`;

describe("the documentation's site", () => {
  let output = "";

  beforeAll(async () => {
    // It takes a minute on a machine of its own, and three beside the rest of the tests.
    const built = await runCommand([process.execPath, "site/build.mjs"], ROOT, {}, 480_000);
    output = built.output;
    expect(built.code, output).toBe(0);
  }, 500_000);

  it("is built without a warning", () => {
    expect(output).not.toMatch(/warn|dead link/i);
  });

  it("has every page as HTML and as Markdown, and both files for programs that read", () => {
    for (const file of globSync("docs/**/*.md", { cwd: ROOT })) {
      const page = file.replace(/^docs\//, "").replace(/README\.md$/, "index.md");
      expect(statSync(join(DIST, page)).size).toBeGreaterThan(0);
      expect(statSync(join(DIST, page.replace(/md$/, "html"))).size).toBeGreaterThan(0);
    }
    const index = readFileSync(join(DIST, "llms.txt"), "utf8");
    const linked = [...index.matchAll(/\]\(\/(\S+)\)/g)].map(([, path = ""]) => path);
    expect(linked.length).toBeGreaterThan(40);
    for (const path of linked) expect(statSync(join(DIST, path)).size).toBeGreaterThan(0);
    expect(readFileSync(join(DIST, "llms-full.txt"), "utf8")).toContain("# Tutorial");
  });

  it("has a page for every export of what programs import, and leads there", () => {
    const first = readFileSync(join(DIST, "api.html"), "utf8");
    const index = readFileSync(join(DIST, "llms.txt"), "utf8");
    for (const [name, file] of IMPORTS) {
      const exported = exportsOf(file);
      const pages = globSync("*/*.html", { cwd: join(DIST, "reference", name) });
      const reexported = readFileSync(join(DIST, "reference", name, "index.md"), "utf8");
      const missing = exported.filter(
        (one) =>
          !pages.some((page) => basename(page, ".html") === one) &&
          !reexported.includes(`[${one}]`),
      );
      expect(exported.length, name).toBeGreaterThan(4);
      expect(missing, name).toEqual([]);
      expect(first).toContain(`href="./reference/${name}/`);
      expect(index).toContain(`(/reference/${name}/index.md)`);
    }
  });

  it("has no link to a place that is not there", () => {
    const places = new Map<string, ReadonlySet<string>>();
    for (const page of globSync("**/*.html", { cwd: DIST })) {
      const html = readFileSync(join(DIST, page), "utf8");
      places.set(page, new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id = ""]) => id)));
    }
    const broken: string[] = [];
    for (const page of places.keys()) {
      const html = readFileSync(join(DIST, page), "utf8");
      for (const [, href = ""] of html.matchAll(/<a [^>]*?href="([^"]+)"/g)) {
        const to = new URL(href, `http://site/${page}`);
        if (to.host !== "site") continue;
        const target = decodeURIComponent(to.pathname)
          .slice(1)
          .replace(/(^|\/)$/, "$1index.html");
        const id = decodeURIComponent(to.hash).slice(1);
        if (!target.endsWith(".html")) continue;
        if (!places.has(target) || (id !== "" && !places.get(target)?.has(id)))
          broken.push(`${page}: ${href}`);
      }
    }
    expect(places.size).toBeGreaterThan(250);
    expect(broken).toEqual([]);
  });

  it("has an entry where the address of each error's code leads", () => {
    for (const code of CODES) {
      const { pathname, hash } = new URL(errorAddress(SITE, code));
      const page = readFileSync(join(DIST, pathname), "utf8");
      expect(page, code).toContain(`<h2 id="${hash.slice(1)}"`);
    }
    expect(CODES.length).toBeGreaterThan(80);
  });

  it("loads nothing from elsewhere, and no page needs more than 300 kB", () => {
    for (const file of globSync("**/*.html", { cwd: DIST })) {
      const html = readFileSync(join(DIST, file), "utf8");
      const loaded = [
        ...html.matchAll(/<(?:script|img)[^>]* src="([^"]+)"/g),
        ...html.matchAll(/<link[^>]*rel="(?:stylesheet|preload|modulepreload)"[^>]*>/g),
      ].map(([tag, src]) => src ?? /href="([^"]+)"/.exec(tag)?.[1] ?? "");
      expect(loaded.filter((url) => /^(https?:)?\/\//.test(url))).toEqual([]);
      // What the playground's controls load is counted to its page.
      const later =
        file === PLAYGROUND ? globSync("assets/chunks/browser.*.js", { cwd: DIST }) : [];
      const code = [...new Set([...loaded, ...later])].filter((url) => /\.(js|css)$/.test(url));
      expect(later).toHaveLength(file === PLAYGROUND ? 1 : 0);
      const bytes = [file, ...code]
        .map((path) => gzipSync(readFileSync(join(DIST, path))).length)
        .reduce((sum, size) => sum + size);
      expect(Math.round(bytes / 1_000), file).toBeLessThan(MOST_KB);
    }
    const index = readFileSync(join(DIST, searchIndex()));
    expect(Math.round(gzipSync(index).length / 1_000)).toBeLessThan(MOST_KB_OF_SEARCH);
  });

  describe.skipIf(found.state === "missing")(`its pages ${inBrowser}`, () => {
    it("have nothing that axe finds, fit a phone, and ask for little and nobody else", async () => {
      if (found.state === "missing") return;
      const browser = await found.launch();
      onTestFinished(() => browser.close());
      const opened = await openSite(browser);
      const faults: string[] = [];
      for (const file of [...globSync(["*.html", "decisions/*.html"], { cwd: DIST }), ...KINDS])
        faults.push(...(await faultsForReaders(opened, file)));
      expect(faults).toEqual([]);
      expect(opened.trouble).toEqual([]);
    }, 1_500_000);

    it("bring who follows an error's link to its entry", async () => {
      if (found.state === "missing") return;
      const browser = await found.launch();
      onTestFinished(() => browser.close());
      const { page } = await openSite(browser);
      for (const code of CODES) {
        await page.goto("about:blank");
        await page.goto(errorAddress(SITE, code));
        const entry = page.locator(`h2[id="${code}"]`);
        const height = page.viewportSize()?.height ?? 0;
        const isInView = async (): Promise<boolean> => {
          const y = (await entry.boundingBox())?.y ?? -1;
          return y >= 0 && y < height;
        };
        await expect.poll(isInView, { timeout: 30_000, message: code }).toBe(true);
      }
    }, 900_000);

    it("of the reference fit a phone too", async () => {
      if (found.state === "missing") return;
      const browser = await found.launch();
      onTestFinished(() => browser.close());
      const { page } = await openSite(browser, { viewport: PHONE, javaScriptEnabled: false });
      for (const file of globSync("reference/**/*.html", { cwd: DIST })) {
        await page.goto(`${SITE}${file}`);
        expect.soft(await phoneFaults(page), file).toEqual([]);
      }
    }, 900_000);
  });

  describe.skipIf(found.state === "missing")(`the playground ${inBrowser}`, () => {
    async function playground(options?: BrowserContextOptions) {
      if (found.state === "missing") throw new Error(found.reason);
      const browser = await found.launch();
      onTestFinished(() => browser.close());
      const opened = await openSite(browser, options);
      await opened.page.goto(`${SITE}${PLAYGROUND}`);
      return opened;
    }

    it("shows the first stream and its figures without a script", async () => {
      const { page, trouble } = await playground({ javaScriptEnabled: false });
      const [picture] = await page.locator(".picture").allInnerTexts();
      expect(picture).toContain("Ada");
      expect(bars(await page.locator(".picture").innerHTML())).toEqual(await nodeBars({}));
      expect(await page.locator(".numbers tbody tr").count()).toBe(6);
      expect(await page.locator("input[type=range]").count()).toBe(0);
      expect(trouble).toEqual([]);
    });

    it("gives by the keyboard, for each control, what the same stream gives in Node", async () => {
      const { page, trouble } = await playground();
      for (const [label, value, settings] of MOVES) {
        await page.getByRole("button", { name: "Start again" }).click();
        await moveTo(page, label, value);
        const expected = await nodeBars(settings);
        expect(expected, label).not.toEqual(await nodeBars({}));
        await expect
          .poll(async () => bars(await page.locator(".picture").innerHTML()), { timeout: 30_000 })
          .toEqual(expected);
      }
      expect(await violations(page)).toEqual([]);
      expect(trouble).toEqual([]);
    }, 240_000);

    it("fits a phone", async () => {
      const { page } = await playground({ viewport: { width: 360, height: 740 } });
      await page.getByLabel("Slots of the node").waitFor();
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(360);
      for (const control of await page.locator(".stream input").all())
        expect((await control.boundingBox())?.height).toBeGreaterThanOrEqual(24);
    });
  });

  it.skipIf(found.state === "missing")(
    `has the same search in its box ${inBrowser}`,
    async () => {
      if (found.state === "missing") return;
      const browser = await found.launch();
      onTestFinished(() => browser.close());
      const { page, trouble } = await openSite(browser);
      await page.goto(`${SITE}tutorial.html`);
      await scriptsRun(page);
      await page.getByRole("button", { name: "Search" }).click();
      await page.getByRole("searchbox").fill("how do I stop a worker in my own process?");
      const first = page.locator("#localsearch-list a").first();
      await first.waitFor();
      expect(await first.getAttribute("href")).toMatch(/^\/workers\.html/);
      expect(trouble).toEqual([]);
    },
    120_000,
  );

  it("finds the page that answers a question among the first three", async () => {
    const search = await siteSearch();
    const wrong = QUESTIONS.flatMap(([question, page]) => {
      const found = search(question).slice(0, 3);
      return found.includes(page) ? [] : [`${question}: ${found.join(", ")}, not ${page}`];
    });
    expect(QUESTIONS.length).toBeGreaterThanOrEqual(20);
    expect(wrong).toEqual([]);
  });
});

/** The names of a file that lists exports one by one. */
function exportsOf(file: string): readonly string[] {
  return [...readFileSync(join(ROOT, file), "utf8").matchAll(/\{([^}]+)\}/g)]
    .flatMap(([, names = ""]) => names.split(","))
    .map((name) => name.trim().replace(/^type /, ""))
    .filter((name) => name !== "")
    .toSorted();
}

/** The search box, without the box: the index that the page loads, read as the page reads it. */
async function siteSearch(): Promise<(question: string) => readonly string[]> {
  const require = createRequire(join(ROOT, "site/package.json"));
  const { default: MiniSearch } = (await import(
    pathToFileURL(require.resolve("minisearch")).href
  )) as { default: MiniSearchLike };
  const { searchOptions } = (await import(
    pathToFileURL(join(ROOT, "site/search-options.mjs")).href
  )) as { searchOptions: { options: object; searchOptions: object } };
  const { default: index } = (await import(pathToFileURL(join(DIST, searchIndex())).href)) as {
    default: string;
  };
  const box = MiniSearch.loadJSON(index, {
    fields: ["title", "titles", "text"],
    storeFields: ["title", "titles"],
    searchOptions: searchOptions.searchOptions,
    ...searchOptions.options,
  });
  return (question) => [
    ...new Set(box.search(question).map(({ id }) => basename(id.replace(/#.*$/, ""), ".html"))),
  ];
}

function searchIndex(): string {
  const [chunk = ""] = globSync("assets/chunks/@localSearchIndexroot*.js", { cwd: DIST });
  return chunk;
}

interface MiniSearchLike {
  loadJSON(
    json: string,
    options: object,
  ): { search(question: string): readonly { readonly id: string }[] };
}
