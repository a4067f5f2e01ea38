import { expect, onTestFinished, test } from "vitest";
import { findBrowser } from "../harness/browser.ts";
import { PHONE, phoneFaults } from "./phone.ts";

const found = await findBrowser();
const inBrowser = found.state === "present" ? "in Chromium" : `(no Chromium: ${found.reason})`;
const LIES = "position: absolute; left: 8px; top: 8px";

test.skipIf(found.state === "missing")(
  `a page that a phone can't show is told from one that it can ${inBrowser}`,
  async () => {
    if (found.state === "missing") return;
    const browser = await found.launch();
    onTestFinished(() => browser.close());
    const page = await browser.newPage({ viewport: PHONE });
    const faultsOf = async (body: string): Promise<readonly string[]> => {
      await page.setContent(`<meta name="viewport" content="width=device-width"><body>${body}`);
      return phoneFaults(page);
    };
    expect(await faultsOf(`<div style="width: 400px">wide</div>`)).toEqual([
      "the page is 408 px wide",
    ]);
    expect(await faultsOf(`<p style="font-size: 11px">small</p>`)).toEqual([
      `"small" is 11.0 px high`,
    ]);
    const shrunk = `<svg width="340" viewBox="0 0 680 20"><text y="15" font-size="16">drawn</text></svg>`;
    expect(await faultsOf(shrunk)).toEqual([`"drawn" is 8.0 px high`]);
    expect(await faultsOf(`<b style="${LIES}">upper</b><b style="${LIES}">lower</b>`)).toEqual([
      `"upper" lies upon "lower"`,
    ]);
    expect(
      await faultsOf(
        `<p>one <b>line</b> <code>of</code> text</p><p style="opacity: 0; font-size: 5px">hidden</p>
         <div style="overflow-x: auto"><p style="width: 900px">scrolls in its frame</p></div>
         <b style="${LIES}; display: none">gone</b>`,
      ),
    ).toEqual([]);
  },
  60_000,
);
