// What somebody points at stays where it is, whatever becomes of the figures and times around it:
// a click hits what they see.
import { createNode, defineJob } from "millrace";
import type { ElementHandle, Page } from "playwright-core";
import { expect, onTestFinished, test, vi } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { busy } from "./busy-fleet.ts";
import { fleet } from "./browser-fleet.ts";
import { answerTo, describeInBrowser, heading, open, TWO_FRAMES } from "./in-browser.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const PATIENCE_MS = 60_000;
const PAGES = ["", "jobs", "errors", "nodes", "limits", "jobs/billing/dies"];
/** Fields of answers that go up while somebody looks. */
const FIGURES = new Set([
  ...["queued", "running", "delayed", "blocked", "dead", "oldestAgeMs", "used", "slots", "ended"],
  ...["silentMs", "rssBytes", "heapBytes", "failures", "died", "jobs", "letters", "nodeCount"],
  ...["durationMs", "leftMs", "ageMs", "waiting", "setAside", "fired", "skipped", "late", "behind"],
  ...["count", "done", "failed"],
]);
/** What of a queue's page leads to something or does something; its plots have nothing. */
const CLICKABLE = "main :is(.head button, .tiles a, .facts a, .notice a, .notice time, .parts a)";
const CELL = `document.querySelector("td:has(time)")`;
/** What is a figure itself grows. */
const FIGURE = /^[\d.,–]/;

/** Every figure has other digits than before, and more of them. */
function grown(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(grown);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, part]: [string, unknown]) => [
      name,
      typeof part === "number" && FIGURES.has(name) ? part * 1_000 + 12_007 : grown(part),
    ]),
  );
}

/** Answers whose figures are those of the fleet, or much larger. */
async function figures(page: Page) {
  let isGrown = false;
  let told = Promise.withResolvers<void>();
  await page.route(/\/api\/(?!live|session|search|plots|charts)/, async (route) => {
    const asked = told;
    const isOfNow = isGrown;
    const response = await answerTo(route).catch(() => undefined);
    // The page has gone to another place.
    if (response === undefined) return;
    // Or it is closed by now, and the answer with it.
    const json: unknown = await response.json().catch(() => undefined);
    if (json === undefined) return;
    await route.fulfill({ response, json: isOfNow ? grown(json) : json }).catch(() => undefined);
    asked.resolve();
  });
  return async (grows: boolean): Promise<void> => {
    isGrown = grows;
    await page.clock.setFixedTime(Date.now() + (grows ? 750_000 : 0));
    told = Promise.withResolvers();
    await told.promise;
    await page.evaluate(TWO_FRAMES);
    await page.evaluate(TWO_FRAMES);
  };
}

/** The first or the last thing that can be clicked and is no figure. */
async function clickable(page: Page, which: "first" | "last"): Promise<ElementHandle> {
  const all = await page.locator("main :is(a, button, summary)").elementHandles();
  for (const one of which === "first" ? all : all.toReversed())
    if ((await one.isVisible()) && !FIGURE.test((await one.textContent()) ?? "")) return one;
  throw new Error(`${page.url()} has nothing to click`);
}

/** @returns where it was and is; undefined where it has not moved */
async function movedBy(handle: ElementHandle, change: () => Promise<unknown>) {
  await handle.hover();
  const before = await handle.boundingBox();
  await change();
  const after = await handle.boundingBox();
  if (before === null || after === null) return "gone";
  // Browsers scroll by whole pixels.
  const isNear = (a: number, b: number): boolean => Math.abs(a - b) <= 1;
  const isThere = isNear(before.x, after.x) && isNear(before.y, after.y);
  return isThere ? undefined : { before, after };
}

describeInBrowser("what is pointed at, on the dashboard", (browserOf) => {
  describeServer("of a fleet", "newest", (server) => {
    test("no figure and no age moves it when it grows", async () => {
      const { served } = await busy(server);
      const { page, trouble } = await open(browserOf(), served.url);
      const show = await figures(page);
      const moved: Record<string, unknown> = {};
      for (const path of PAGES) {
        await page.goto(`${served.url}${path}`);
        await page.getByText("Loading…").first().waitFor({ state: "detached" });
        await show(false);
        for (const which of ["first", "last"] as const) {
          const handle = await clickable(page, which);
          const text = (await handle.textContent()) ?? "";
          const from = await movedBy(handle, () => show(which === "first"));
          if (from !== undefined) moved[`${path}: ${text}`] = from;
        }
      }
      expect(moved).toEqual({});
      expect(trouble).toEqual([]);
    });

    test("a notice that comes or goes above it does not move it, and the page ends where it began", async () => {
      const { client, served } = await fleet(server);
      const { page, trouble } = await open(browserOf(), served.url);
      await heading(page, "Overview");
      const problems = page.getByRole("list", { name: "What needs attention" });
      const nodes = page.getByRole("region", { name: "Nodes, table" });
      const aimed = await nodes.getByRole("link", { name: "billing" }).elementHandle();
      if (aimed === null) throw new Error("no node has a queue");
      const paused = problems.getByText("Queue mail is paused");
      const pause = async (): Promise<void> => {
        await client.queues.pause("mail");
        await paused.waitFor();
      };
      const resume = async (): Promise<void> => {
        await client.queues.resume("mail");
        await paused.waitFor({ state: "detached" });
      };
      expect(await movedBy(aimed, pause)).toBeUndefined();
      expect(await movedBy(aimed, resume)).toBeUndefined();
      // Where there is nothing to scroll back to, too.
      await page.setViewportSize({ width: 1_200, height: 3_000 });
      expect(await movedBy(aimed, pause)).toBeUndefined();
      expect(await movedBy(aimed, resume)).toBeUndefined();
      await pause();
      await page.reload();
      await paused.waitFor();
      const again = await nodes.getByRole("link", { name: "billing" }).elementHandle();
      if (again === null) throw new Error("no node has a queue");
      const top = await page.getByRole("heading", { level: 1 }).boundingBox();
      expect(await movedBy(again, resume)).toBeUndefined();
      await page.getByRole("link", { name: "Limits", exact: true }).hover();
      expect(await page.getByRole("heading", { level: 1 }).boundingBox()).toEqual(top);
      expect(trouble).toEqual([]);
    });

    test("nothing of a queue moves, whatever becomes of the queue", async () => {
      const { client, served } = await busy(server);
      await client.queues.set("slow", { concurrency: 3 });
      const { page, trouble } = await open(browserOf(), served.url);
      const show = await figures(page);
      const button = (name: string) => page.getByRole("button", { name, exact: true });
      const becomes = async (change: () => Promise<unknown>): Promise<void> => {
        await change();
        await show(false);
      };

      const changes: readonly (readonly [string, () => Promise<unknown>])[] = [
        ["figures", () => show(true)],
        ["a pause", () => becomes(() => client.queues.pause("slow", { reason: "the bank" }))],
        ["a resume", () => becomes(() => client.queues.resume("slow"))],
        ["a drain", () => becomes(() => client.queues.drain("slow", { timeout: "10ms" }))],
        ["figures of a drain", () => show(true)],
        ["limits", () => becomes(() => client.queues.set("slow", { perKey: { concurrency: 2 } }))],
        ["its end", () => becomes(() => client.queues.resume("slow"))],
      ];
      await page.goto(`${served.url}queues/slow`);
      await button("Pause").waitFor();
      const moved: Record<string, unknown> = {};
      // Of what is pointed at also its height is kept.
      for (const aimed of [button("Set limits"), page.getByRole("link", { name: / old$/ })]) {
        await client.queues.set("slow", { perKey: { concurrency: null } });
        await show(false);
        const handle = await aimed.elementHandle();
        if (handle === null) throw new Error("what can be clicked is gone");
        for (const [what, change] of changes) {
          const handles = await page.locator(CLICKABLE).elementHandles();
          expect(handles.length).toBeGreaterThan(12);
          const before = await Promise.all(handles.map((one) => one.boundingBox()));
          const from = await movedBy(handle, change);
          if (from !== undefined) moved[`${(await handle.textContent()) ?? ""}: ${what}`] = from;
          for (const [n, one] of handles.entries()) {
            const [was, is] = [before[n]?.x, (await one.boundingBox())?.x];
            if (was !== undefined && is !== undefined && Math.abs(was - is) > 1)
              moved[`${(await one.textContent()) ?? ""}, sideways: ${what}`] = { was, is };
          }
        }
      }
      expect(moved).toEqual({});
      expect(trouble).toEqual([]);
    });

    test("an action that somebody else carries out between press and release is not another one", async () => {
      const { client, served } = await fleet(server);
      const { page, trouble } = await open(browserOf(), served.url);
      await page.goto(`${served.url}queues/mail`);
      const button = (name: string) => page.getByRole("button", { name, exact: true });
      await button("Drain").hover();
      await page.mouse.down();
      await client.queues.pause("mail");
      await page.getByRole("button", { name: "Resume", disabled: false }).waitFor();
      await page.mouse.up();
      await page.evaluate(TWO_FRAMES);
      expect(await page.getByRole("dialog").count()).toBe(0);
      // What one has opened stays open, and can be left.
      await button("Resume").click();
      const dialog = page.getByRole("dialog", { name: "Resume the queue mail?" });
      await client.queues.resume("mail");
      await page.getByRole("button", { name: "Drain", disabled: false }).waitFor();
      await dialog.getByRole("button", { name: "Keep as it is" }).click();
      await dialog.waitFor({ state: "hidden" });
      expect(trouble).toEqual([]);
    });

    test("what somebody else orders does not move the button beside it", async () => {
      const { client, served } = await fleet(server);
      const { page, trouble } = await open(browserOf(), served.url);
      await page.goto(`${served.url}nodes`);
      const node = page.getByRole("row", { name: /^worker-1/ });
      const aimed = await node.getByRole("button", { name: "Stop" }).elementHandle();
      if (aimed === null) throw new Error("no node can be stopped");
      const quieten = async (): Promise<void> => {
        await client.nodes.quiet("worker-1");
        await node.getByRole("button", { name: "Resume" }).waitFor();
      };
      expect(await movedBy(aimed, quieten)).toBeUndefined();
      await client.nodes.resume("worker-1");
      expect(trouble).toEqual([]);
    });

    test("exact times are shown whole to whoever asks for them in a list", async () => {
      const { served } = await busy(server);
      const { page, trouble } = await open(browserOf(), served.url);
      await page.goto(`${served.url}jobs`);
      const cell = page.getByRole("row").nth(1).locator("td:has(time)");
      await cell.hover();
      const wide = await page.evaluate<number>(`${CELL}.offsetWidth`);
      await page.keyboard.press("t");
      await cell.getByText(/\d\d:\d\d:\d\d UTC$/).waitFor();
      expect(await page.evaluate(`${CELL}.scrollWidth <= ${CELL}.clientWidth`)).toBe(true);
      expect(await page.evaluate<number>(`${CELL}.offsetWidth`)).toBeGreaterThan(wide);
      expect(trouble).toEqual([]);
    });

    test("the next attempt that fails does not move it, nor shut the stack that is being read", async () => {
      const { client, served, connection } = await fleet(server);
      const again = Promise.withResolvers<void>();
      const end = Promise.withResolvers<void>();
      const job = defineJob({
        ...{ name: "paper.fold", queue: "paper" },
        retry: { attempts: 3, base: "50ms", jitter: false },
      });
      const node = await createNode({
        ...{ ...connection, nodeName: "worker-3" },
        jobs: [
          job.handler(async ({ attempt }) => {
            if (attempt === 2) await again.promise;
            if (attempt === 3) await end.promise;
            throw new Error(`The paper is torn, for the ${attempt}. time`);
          }),
        ],
      });
      onTestFinished(() => node.stop());
      onTestFinished(() => {
        again.resolve();
        end.resolve();
      });
      await node.start();
      await client.enqueue(job, undefined, { id: "folded" });
      const failed = (times: number) =>
        eventually(async () => (await client.job("folded")).history.length === times, {
          ...{ withinMs: PATIENCE_MS, describe: `${times} attempts have failed` },
        });
      await failed(1);
      const { page, trouble } = await open(browserOf(), served.url);
      await page.goto(`${served.url}jobs/paper/folded`);
      const errors = page.getByRole("region", { name: "Errors" });
      const link = errors.getByRole("link", { name: "All that failed of this" });
      const aimed = await link.first().elementHandle();
      if (aimed === null) throw new Error("no attempt has failed");
      const fails = async (): Promise<void> => {
        again.resolve();
        await failed(2);
        await link.nth(1).waitFor();
        await page.evaluate(TWO_FRAMES);
      };
      expect(await movedBy(aimed, fails)).toBeUndefined();
      expect(await aimed.isVisible()).toBe(true);
      expect(await errors.getByRole("region", { name: /^Stack of/ }).count()).toBe(2);
      await page.mouse.down();
      await page.mouse.up();
      await heading(page, "Error in paper");
      expect(trouble).toEqual([]);
    });
  });
});
