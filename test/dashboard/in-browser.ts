// A real browser, and pages in it that fail their test for what they do wrong.
import type { APIResponse, Browser, BrowserContextOptions, Page, Route } from "playwright-core";
import { afterAll, beforeAll, describe, onTestFinished } from "vitest";
import { findBrowser } from "../harness/browser.ts";

const found = await findBrowser();
const PATIENCE_MS = 60_000;

/** By then what was to be drawn is. */
export const TWO_FRAMES =
  "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))";

/** Skipped, with the reason in its title, where this machine has no Chromium. */
export function describeInBrowser(title: string, tests: (browserOf: () => Browser) => void): void {
  const where = found.state === "present" ? "in Chromium" : `no Chromium: ${found.reason}`;
  describe.skipIf(found.state === "missing")(`${title} ${where}`, () => {
    let browser: Browser;
    beforeAll(async () => {
      if (found.state === "present") browser = await found.launch();
    });
    afterAll(() => browser.close());
    tests(() => browser);
  });
}

/** A page, and what it did wrong: each error it logs, and whatever it asks of others. */
export async function open(browser: Browser, url: string, options: BrowserContextOptions = {}) {
  const context = await browser.newContext({
    ...{ locale: "en-GB", timezoneId: "UTC", viewport: { width: 1_200, height: 750 } },
    ...options,
  });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const trouble: string[] = [];
  page.on("pageerror", (error) => trouble.push(String(error)));
  page.on("dialog", (dialog) => trouble.push(`dialog: ${dialog.message()}`));
  page.on("console", (line) => {
    if (line.type() === "error") trouble.push(line.text());
  });
  page.on("request", (request) => {
    const to = request.url();
    if (!to.startsWith(url) && !to.startsWith("data:")) trouble.push(`asks ${to}`);
  });
  await page.goto(url);
  return { page, trouble };
}

export async function heading(page: Page, name: string | RegExp): Promise<void> {
  await page.getByRole("heading", { level: 1, name }).waitFor();
}

/**
 * What the dashboard answers to a request that a test holds. A server closes a connection on which
 * nothing came for some seconds; of a request that comes just then nothing was read, and it is sent
 * again, as a browser sends it.
 */
export function answerTo(route: Route): Promise<APIResponse> {
  return route.fetch({ maxRetries: 3 });
}
