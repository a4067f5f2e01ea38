import { findBrowser, type FoundBrowser } from "../../test/harness/browser.ts";

type Launch = Extract<FoundBrowser, { readonly state: "present" }>["launch"];
type Browser = Awaited<ReturnType<Launch>>;
type Page = Awaited<ReturnType<Browser["newPage"]>>;

/** A page, and what is on it once a person has what they opened it for. */
export interface MeasuredPage {
  readonly name: string;
  readonly path: string;
  readonly rows: number;
  /** Each with what it says. */
  readonly plots: number;
}

/**
 * A machine may have no language. Only this context's own look for what is there is let through the
 * dashboard's policy, which lets nothing else be evaluated.
 */
const CONTEXT = { locale: "en-GB", bypassCSP: true, viewport: { width: 1_200, height: 800 } };
const PATIENCE_MS = 60_000;

/**
 * Opens pages in a real browser that has never seen them, and says after how many milliseconds each
 * was whole, from its address on.
 *
 * @returns the lengths of each page, or why there is no browser
 */
export async function openedInChromium(
  url: string,
  pages: readonly MeasuredPage[],
  { times, between }: { readonly times: number; between(): Promise<void> },
): Promise<ReadonlyMap<MeasuredPage, readonly number[]> | string> {
  const found = await findBrowser();
  if (found.state === "missing") return found.reason;
  const browser = await found.launch();
  const took = new Map<MeasuredPage, number[]>();
  try {
    for (const page of pages) {
      const lengths: number[] = [];
      // Not counted is the first: the browser itself wakes up.
      for (let n = -1; n < times; n += 1) {
        await between();
        const whole = await openedOnce(browser, url, page);
        if (n >= 0) lengths.push(whole);
      }
      took.set(page, lengths);
    }
  } finally {
    await browser.close();
  }
  return took;
}

async function openedOnce(browser: Browser, url: string, measured: MeasuredPage): Promise<number> {
  const context = await browser.newContext(CONTEXT);
  try {
    const page = await context.newPage();
    await page.goto(`${url}${measured.path}`, { waitUntil: "commit" });
    return await wholeAfter(page, measured);
  } finally {
    await context.close();
  }
}

async function wholeAfter(page: Page, { name, rows, plots }: MeasuredPage): Promise<number> {
  const isWhole = `(() => {
    const words = [...document.querySelectorAll("figcaption")].map((one) => one.textContent);
    const isThere = document.querySelectorAll("tbody tr").length >= ${rows}
      && words.length >= ${plots} && !words.includes("")
      && !document.body.innerText.includes("Loading…");
    return isThere ? performance.now() : false;
  })()`;
  try {
    const whole = await page.waitForFunction<number>(isWhole, undefined, { timeout: PATIENCE_MS });
    return await whole.jsonValue();
  } catch (cause) {
    const shown = await page.locator("body").innerText();
    throw new Error(`${name} is not whole after ${PATIENCE_MS} ms. It shows:\n${shown}`, { cause });
  }
}
