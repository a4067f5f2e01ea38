import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";

export const DIST = resolve(import.meta.dirname, "../../site/dist");
export const SITE = "http://docs.test/";

/**
 * The built files at an address of their own. Whatever else is asked for is noted and refused; so
 * is what a page's own security policy refuses. `loaded` are the files that were sent.
 */
export async function openSite(browser: Browser, options: BrowserContextOptions = {}) {
  const context = await browser.newContext({ reducedMotion: "reduce", ...options });
  const trouble: string[] = [];
  const loaded: string[] = [];
  await context.route("**/*", async (route) => {
    const url = new URL(route.request().url());
    const path = join(DIST, decodeURIComponent(url.pathname));
    if (url.href.startsWith(SITE) && existsSync(path)) {
      loaded.push(path);
      return route.fulfill({ path });
    }
    trouble.push(`asks ${url.href}`);
    return route.abort();
  });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.on("pageerror", (error) => trouble.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") trouble.push(message.text());
  });
  return { page, trouble, loaded };
}

/**
 * Waits until a page's scripts run. Its buttons stand in the file already, and do nothing until
 * then; the switch of the theme gets its name from the scripts.
 */
export async function scriptsRun(page: Page): Promise<void> {
  await page.getByRole("switch", { name: /^Switch to (dark|light) theme$/ }).waitFor();
}
