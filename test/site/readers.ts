import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";
import { violations } from "../harness/accessibility.ts";
import { type openSite, scriptsRun, SITE } from "./open-site.ts";
import { PHONE, phoneFaults } from "./phone.ts";

const DESKTOP = { width: 1280, height: 800 };
/**
 * What the first screen of a page may ask for, kB; what compresses well is sent compressed.
 * Pictures further down come as the reader scrolls; a browser begins with them when it has time.
 */
const MOST_KB = 300;
/** Pages that visible links lead to, fetched ahead in spare time; a page's own is its lean file. */
const AHEAD = /\.md\.[\w-]+\.js$/;
const BELOW = `[...document.images].filter((image) => image.getBoundingClientRect().top > innerHeight)
  .map((image) => image.src.split("/").at(-1))`;

/** What readers would stumble over on a page: on a desktop in light, on a phone in dark. */
export async function faultsForReaders(
  { page, loaded }: Awaited<ReturnType<typeof openSite>>,
  file: string,
): Promise<readonly string[]> {
  const faults: string[] = [];
  const note = (where: string, found: readonly string[]): void =>
    void faults.push(...found.map((fault) => `${file}, ${where}: ${fault}`));

  // What the page before this one still asks for, as it grows wide again, is not this one's.
  await page.goto("about:blank");
  loaded.length = 0;
  await show(page, DESKTOP, "light");
  await page.goto(`${SITE}${file}`);
  await scriptsRun(page);
  note("desktop, light", await violations(page));
  const later = await page.evaluate<readonly string[]>(BELOW);
  const needed = loaded.filter((path) => !AHEAD.test(path) && !later.includes(basename(path)));
  const kilobytes = Math.round(needed.map(bytesOf).reduce((sum, size) => sum + size, 0) / 1_000);
  if (kilobytes > MOST_KB) note("desktop", [`asks for ${kilobytes} kB`]);
  await show(page, PHONE, "dark");
  note("phone, dark", await violations(page));
  note("phone", await phoneFaults(page));
  return faults;
}

async function show(page: Page, size: typeof PHONE, colorScheme: "light" | "dark"): Promise<void> {
  await page.setViewportSize(size);
  await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
  const theme = colorScheme === "dark" ? "html.dark" : "html:not(.dark)";
  if (page.url().startsWith(SITE)) await page.locator(theme).waitFor({ state: "attached" });
}

function bytesOf(file: string): number {
  const bytes = readFileSync(file);
  return file.endsWith(".png") ? bytes.length : gzipSync(bytes).length;
}
