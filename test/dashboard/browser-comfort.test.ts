// What a page does to whoever looks at it: nothing jumps while data arrives, nothing moves for who
// asked for that, and everything is reached, seen and left by the keyboard.
import { createNode, defineJob } from "millrace";
import type { Page } from "playwright-core";
import { expect, onTestFinished, test, vi } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { describeServer, type TestServer } from "../harness/servers.ts";
import { ask, charge, type Fleet, fleet, send } from "./browser-fleet.ts";
import { describeInBrowser, open } from "./in-browser.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const PATIENCE_MS = 60_000;
/** What Chromium calls good is up to 0.1. */
const MOST_SHIFT = 0.05;
const slow = defineJob({ name: "slow.work", queue: "slow", singleton: true });

const PAGES = [
  ...["", "queues/mail", "jobs", "jobs?state=delayed&queue=mail", "jobs/billing/dies", "errors"],
  ...["jobs/mail/letter-1", "jobs/slow/runs", "schedules", "machines", "machines/claim/c-1"],
  ...["machines/runtime", "nodes", "limits", "operations", "audit", "outbox", "doctor"],
];

const TWO_FRAMES =
  "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))";

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

/** What would move for longer than no time. */
const MOVING = `(() => {
  const lasts = (times) => times.split(",").some((time) => Number.parseFloat(time) > 0);
  const moves = (style) =>
    lasts(style.transitionDuration) ||
    (style.animationName !== "none" && lasts(style.animationDuration)) ||
    style.scrollBehavior === "smooth";
  return [
    ...document.getAnimations().map((animation) => animation.constructor.name),
    ...[...document.querySelectorAll("*")].flatMap((element) =>
      [null, "::before", "::after"]
        .filter((part) => moves(getComputedStyle(element, part)))
        .map((part) => element.tagName + "." + element.className + (part ?? "")),
    ),
  ];
})()`;

/** Begins before everything that Tab comes to. */
const FROM_THE_TOP = `(() => {
  globalThis.seen = new Set();
  document.body.setAttribute("tabindex", "-1");
  document.body.focus();
  document.body.removeAttribute("tabindex");
})()`;

/** "end" where Tab has been before; else what has the focus and doesn't show it, or nothing. */
const AT_FOCUS = `(() => {
  const element = document.activeElement;
  if (element === null || element === document.body || seen.has(element)) return "end";
  seen.add(element);
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  const shows = outlineStyle !== "none" && Number.parseFloat(outlineWidth) > 0;
  return shows ? "" : "no outline: " + element.outerHTML.slice(0, 100);
})()`;

const NEVER_REACHED = `
  [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [role=button]")]
    .filter((one) => one.checkVisibility() && !one.matches(":disabled") && !seen.has(one))
    .map((one) => one.outerHTML.slice(0, 100))`;

/** A fleet with something on each page. */
async function busy(server: TestServer): Promise<Fleet> {
  const made = await fleet(server);
  const { client, connection } = made;
  const end = Promise.withResolvers<void>();
  const node = await createNode({
    ...{ ...connection, nodeName: "worker-2", jobs: [slow.handler(() => end.promise)] },
  });
  onTestFinished(() => node.stop());
  onTestFinished(() => end.resolve());
  await node.start();
  await client.enqueue(charge, { customer: "ann", amount: 1 }, { id: "dies" });
  await client.enqueue(ask, undefined, { id: "letter-1" });
  await client.enqueue(slow, undefined, { id: "runs" });
  await client.enqueue(slow, undefined, { id: "waits" });
  await client.queues.set("mail", { concurrency: 5 });
  await eventually(async () => (await client.job("dies")).state === "dead", {
    ...{ withinMs: PATIENCE_MS, describe: "a job has died" },
  });
  return made;
}

async function isThere(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.getByText("Live", { exact: true }).waitFor();
  await page.getByText("Loading…").first().waitFor({ state: "detached" });
}

describeInBrowser("comfort of the dashboard", (browserOf) => {
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
        const shifts = await page.evaluate<readonly { readonly value: number }[]>(
          `shifts.filter(({ of }) => !of.every((moved) => moved.startsWith("<tr>")))`,
        );
        const sum = shifts.reduce((total, { value }) => total + value, 0);
        if (sum >= MOST_SHIFT) jumped[path] = { sum, shifts };
      }
      expect(jumped).toEqual({});
      expect(trouble).toEqual([]);
    });

    test("who asks for less motion sees none, on any page, nor in a dialog", async () => {
      const { served } = await busy(server);
      const { page } = await open(browserOf(), served.url, { reducedMotion: "reduce" });
      const moves: Record<string, unknown> = {};
      for (const path of PAGES) {
        await isThere(page, `${served.url}${path}`);
        await page.keyboard.press("Control+k");
        await page.getByRole("dialog", { name: "Go to" }).waitFor();
        const moving = await page.evaluate<readonly string[]>(MOVING);
        if (moving.length > 0) moves[path] = moving;
      }
      expect(moves).toEqual({});
    });

    test("Tab reaches each link, button and field of each page, and shows where it is", async () => {
      const { served } = await busy(server);
      const { page } = await open(browserOf(), served.url);
      const missed: Record<string, unknown> = {};
      for (const path of PAGES) {
        await isThere(page, `${served.url}${path}`);
        const lost = await notReached(page);
        if (lost.length > 0) missed[path] = lost;
      }
      expect(missed).toEqual({});
    });

    test("each dialog takes the focus, is left by Esc, and gives the focus back", async () => {
      const { served } = await busy(server);
      const { page, trouble } = await open(browserOf(), served.url);
      let opened = 0;
      for (const path of PAGES) {
        await isThere(page, `${served.url}${path}`);
        const openers = page.locator("main button:has(+ dialog)");
        const count = Math.min(await openers.count(), 6);
        for (let n = 0; n < count; n += 1) {
          const button = openers.nth(n);
          await button.focus();
          await page.keyboard.press("Enter");
          const dialog = page.locator("dialog[open]");
          await dialog.waitFor();
          expect(await dialog.locator(":focus").count(), path).toBe(1);
          await page.keyboard.press("Escape");
          await dialog.waitFor({ state: "detached" });
          expect(await button.and(page.locator(":focus")).count(), path).toBe(1);
          opened += 1;
        }
        // The palette, from wherever the focus is, and back to it.
        await page.keyboard.press("Control+k");
        await page.getByRole("dialog", { name: "Go to" }).waitFor();
        await page.keyboard.press("Escape");
        await page.locator("dialog[open]").waitFor({ state: "detached" });
      }
      expect(opened).toBeGreaterThan(20);
      expect(trouble).toEqual([]);
    });
  });
});

/** What can be pressed or typed into, and Tab never comes to or doesn't show. */
async function notReached(page: Page): Promise<readonly string[]> {
  await page.evaluate(FROM_THE_TOP);
  const hidden: string[] = [];
  for (let presses = 0; presses < 600; presses += 1) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate<string>(AT_FOCUS);
    if (at === "end") break;
    if (at !== "") hidden.push(at);
  }
  return [...hidden, ...(await page.evaluate<readonly string[]>(NEVER_REACHED))];
}
