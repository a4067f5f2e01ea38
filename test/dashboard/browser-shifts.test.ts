// Nothing jumps: neither while a page is opened, however late its answers come, nor while jobs do.
import type { CausesView } from "../../packages/dashboard/src/api/views/error-views.ts";
import type { Page, Request, Route } from "playwright-core";
import { expect, test, vi } from "vitest";
import { within } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { charge, send } from "./browser-fleet.ts";
import { busy, isThere, PAGES } from "./busy-fleet.ts";
import { describeInBrowser, open, TWO_FRAMES } from "./in-browser.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

/** What Chromium calls good is up to 0.1. */
const MOST_SHIFT = 0.05;
const MOST_SHIFT_AT_FIRST = 0.01;
const PATIENCE_MS = 60_000;
const PHONE = { width: 390, height: 800 };
/** All but the stream of news. */
const ANSWERS = /\/api\/(?!live)/;

/** What moved without having been asked to, and how much of the page. */
const WATCH_SHIFTS = `
  globalThis.shifts = [];
  new PerformanceObserver((list) => {
    for (const { value, hadRecentInput, sources } of list.getEntries())
      if (!hadRecentInput)
        shifts.push({
          value,
          of: sources.map(({ node }) => node?.outerHTML?.slice(0, 80) ?? node?.nodeName),
        });
  }).observe({ type: "layout-shift", buffered: true });
`;

describeInBrowser("shifts of the dashboard", (browserOf) => {
  describeServer("of a fleet", "newest", (server) => {
    test("no page jumps while jobs come and go", async () => {
      const { client, served } = await busy(server);
      const { page, trouble } = await open(browserOf(), served.url);
      await page.addInitScript({ content: WATCH_SHIFTS });
      const jumped: Record<string, unknown> = {};
      for (const [n, path] of PAGES.entries()) {
        await isThere(page, `${served.url}${path}`);
        await page.waitForLoadState("networkidle", { timeout: 2_000 }).catch(() => undefined);
        await page.evaluate("shifts.length = 0");
        // A page that has nothing new to ask for has nothing that could jump.
        const answered = page
          .waitForResponse((answer) => answer.url().includes("/api/"), { timeout: 7_000 })
          .catch(() => undefined);
        for (let m = 0; m < 3; m += 1)
          await client.enqueue(send, { to: "ann" }, { id: `shift-${n}-${m}` });
        await client.enqueue(charge, { customer: "ann", amount: 1 });
        await answered;
        await page.evaluate(TWO_FRAMES);
        // Rows of a list of the latest make room for newer ones: that is the news itself.
        const shifts = await page.evaluate<readonly Shift[]>(
          `shifts.filter(({ of }) => !of.every((moved) => moved.startsWith("<tr>")))`,
        );
        const sum = sumOf(shifts);
        if (sum >= MOST_SHIFT) jumped[path] = { sum, shifts };
      }
      expect(jumped).toEqual({});
      expect(trouble).toEqual([]);
    });

    test.each<Order>(["as they were asked", "in the other order"])(
      "no page jumps while it is opened and its answers come one by one, %s",
      async (order) => {
        const { served } = await busy(server);
        const { page, trouble } = await open(browserOf(), served.url);
        const paths = [...PAGES, await someCause(served.url)];
        expect(await jumpsWhileOpened(page, served.url, paths, order)).toEqual({});
        expect(trouble).toEqual([]);
      },
    );

    test("no page jumps while it is opened on a phone", async () => {
      const { served } = await busy(server);
      const { page } = await open(browserOf(), served.url, { viewport: PHONE });
      const jumped = await jumpsWhileOpened(page, served.url, PAGES, "in the other order");
      expect(jumped).toEqual({});
    });
  });
});

async function someCause(url: string): Promise<string> {
  const answer = await fetch(`${url}api/errors`);
  const { causes } = (await answer.json()) as CausesView;
  const [cause] = causes;
  if (cause === undefined) throw new Error("nothing has failed");
  const { queue, name, error, fingerprint } = cause;
  const given = Object.entries({ queue, name, error, fingerprint });
  const query = new URLSearchParams();
  for (const [field, value] of given) if (value !== null) query.set(field, value);
  return `errors/cause?${query.toString()}`;
}

interface Shift {
  readonly value: number;
}

function sumOf(shifts: readonly Shift[]): number {
  return shifts.reduce((total, { value }) => total + value, 0);
}

/** The order of a page's answers. */
type Order = "as they were asked" | "in the other order";

/** @returns how much each page jumped that did */
async function jumpsWhileOpened(
  page: Page,
  url: string,
  paths: readonly string[],
  order: Order,
): Promise<Readonly<Record<string, unknown>>> {
  await page.addInitScript({ content: WATCH_SHIFTS });
  const jumped: Record<string, unknown> = {};
  for (const path of paths) {
    await openedSlowly(page, `${url}${path}`, order);
    const shifts = await page.evaluate<readonly Shift[]>("shifts");
    const sum = sumOf(shifts);
    if (sum >= MOST_SHIFT_AT_FIRST) jumped[path] = { sum, shifts };
  }
  return jumped;
}

/** Each answer is given alone, and the page drawn before the next. */
async function openedSlowly(page: Page, url: string, order: Order): Promise<void> {
  const asked: Route[] = [];
  const hold = (route: Route): void => void asked.push(route);
  const answered = new Set<string>();
  await page.route(ANSWERS, hold);
  await page.goto(url);
  for (let idle = 0; idle < 3;) {
    await page.evaluate(TWO_FRAMES);
    const isNew = (route: Route): boolean => !answered.has(route.request().url());
    const next =
      order === "as they were asked" ? asked.findIndex(isNew) : asked.findLastIndex(isNew);
    const [route] = next === -1 ? [] : asked.splice(next, 1);
    idle = route === undefined ? idle + 1 : 0;
    if (route === undefined) continue;
    answered.add(route.request().url());
    const { promise: isThereNow, resolve } = Promise.withResolvers<void>();
    const request = route.request();
    const done = (one: Request): void => {
      if (one === request) resolve();
    };
    page.on("requestfinished", done);
    page.on("requestfailed", done);
    await route.continue();
    await within(isThereNow, PATIENCE_MS, `an answer to ${request.url()}`);
    page.off("requestfinished", done);
    page.off("requestfailed", done);
  }
  await page.unroute(ANSWERS, hold);
  for (const route of asked) await route.continue().catch(() => undefined);
  await page.getByText("Live", { exact: true }).waitFor();
  await page.getByText("Loading…").first().waitFor({ state: "detached" });
  await page.evaluate(TWO_FRAMES);
}
