// What a page does to whoever looks at it: nothing moves for who asked for that, everything is
// reached, seen and left by the keyboard, and shown in whatever language the browser has.
import type { Page } from "playwright-core";
import { expect, test, vi } from "vitest";
import { describeServer } from "../harness/servers.ts";
import { busy, isThere, PAGES } from "./busy-fleet.ts";
import { describeInBrowser, open } from "./in-browser.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

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

describeInBrowser("comfort of the dashboard", (browserOf) => {
  describeServer("of a fleet", "newest", (server) => {
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

    test.each(["en-US@posix", "C", "de-DE"])(
      "no page stays blank in a browser whose language is called %s",
      async (locale) => {
        const { served } = await busy(server);
        const { page, trouble } = await open(browserOf(), served.url, { locale });
        const drawn: Record<string, number> = {};
        for (const path of ["", "queues/mail", "nodes"]) {
          await isThere(page, `${served.url}${path}`);
          drawn[path] = await page.locator(".uplot canvas").count();
        }
        expect(drawn).toEqual({ "": 7, "queues/mail": 5, nodes: 1 });
        expect(trouble).toEqual([]);
      },
    );

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
        const openers = page.locator("main button:enabled:has(+ dialog)");
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
