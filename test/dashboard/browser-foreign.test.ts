// A page of somebody else, in the browser of an operator who is logged in to the dashboard.
import { createServer } from "node:http";
import type { BrowserContext, Page, Request } from "playwright-core";
import { connect } from "millrace";
import { serveDashboard } from "millrace/dashboard";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { describeServer } from "../harness/servers.ts";
import { describeInBrowser } from "./in-browser.ts";
import { listen } from "./listen.ts";
import { OF_THE_PAGE } from "./scene.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 });

const PASSWORD = "a-long-enough-password";
const USERS = [
  ["no login", []],
  ["a login that the browser remembers", [{ name: "ada", password: PASSWORD, role: "operator" }]],
] as const;

describeInBrowser("a page of another site", (browserOf) => {
  describeServer("beside a dashboard", "newest", (server) => {
    describe.each(USERS)("where there is %s", (_where, accounts) => {
      test.each(["localhost", "127.0.0.1"])("changes and reads nothing from %s", async (host) => {
        const client = await connect({
          ...{ servers: server.url, namespace: server.namespace(), env: {} },
        });
        onTestFinished(() => client.close());
        await client.queues.ensure("mail");
        const served = await serveDashboard({
          millrace: client,
          port: 0,
          accounts,
          localName: "ada",
        });
        onTestFinished(() => served.close());
        const context = await browserOf().newContext(
          accounts.length === 0 ? {} : { httpCredentials: { username: "ada", password: PASSWORD } },
        );
        onTestFinished(() => context.close());
        const own = await context.newPage();
        await own.goto(served.url);
        await own.getByRole("heading", { level: 1 }).waitFor();
        const pause = `${served.url}api/queues/mail/pause`;
        const isPaused = async (): Promise<boolean> =>
          (await client.queues.snapshot("mail")).paused !== undefined;

        const foreign = await foreignPage(context, host);
        expect(await submitted(foreign, pause)).toBe(403);
        const beacon = answered(foreign, "ping");
        expect(await foreign.evaluate(changes(pause))).toEqual({
          ...{ plain: "TypeError", beacon: true, json: "TypeError" },
        });
        await beacon;
        expect(await foreign.evaluate(reads(served.url))).toEqual({
          ...{ read: "TypeError", script: "error", feed: "error" },
        });
        expect(await framed(foreign, served.url)).toBe("chrome-error://chromewebdata/");
        expect(await isPaused()).toBe(false);
        expect(await client.audit.list()).toEqual([]);

        // What it tried is what the dashboard's own page does.
        expect(await own.evaluate(CHANGE_OF_ITS_OWN)).toBe(200);
        expect(await isPaused()).toBe(true);
      });
    });
  });
});

/** One that an operator has open beside the dashboard. */
async function foreignPage(context: BrowserContext, host: string): Promise<Page> {
  const site = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end("<!doctype html><title>A prize</title><h1>You have won</h1>");
  });
  const origin = (await listen(site)).replace("127.0.0.1", host);
  const page = await context.newPage();
  await page.goto(origin);
  return page;
}

/** A form needs nobody's leave to be sent. What it is answered shows in a frame. */
async function submitted(page: Page, target: string): Promise<number> {
  const answer = page.waitForResponse(
    (response) => response.url() === target && response.status() !== 401,
  );
  await page.evaluate(`(() => {
    document.body.insertAdjacentHTML("beforeend", '<iframe name="answer"></iframe>'
      + '<form method="post" enctype="text/plain" target="answer"><input name="{}" value=""></form>');
    document.forms[0].action = ${JSON.stringify(target)};
    document.forms[0].submit();
  })()`);
  return (await answer).status();
}

/** Resolves once one of this kind was answered, whether its page may know of the answer or not. */
async function answered(page: Page, type: string): Promise<void> {
  const isIt = (request: Request): boolean => request.resourceType() === type;
  await Promise.race([
    page.waitForEvent("requestfinished", isIt),
    page.waitForEvent("requestfailed", isIt),
  ]);
}

/** What a script sends without asking, and what a browser asks about first. */
function changes(target: string): string {
  const url = JSON.stringify(target);
  return `(async () => {
    const given = { method: "POST", body: "{}", credentials: "include" };
    const told = [({ status }) => status, ({ name }) => name];
    const plain = await fetch(${url}, { ...given, mode: "no-cors" }).then(...told);
    const beacon = navigator.sendBeacon(${url}, new Blob(["{}"], { type: "text/plain" }));
    const headers = ${JSON.stringify(OF_THE_PAGE)};
    const json = await fetch(${url}, { ...given, headers }).then(...told);
    return { plain, beacon, json };
  })()`;
}

function reads(dashboard: string): string {
  const url = JSON.stringify(dashboard);
  return `(async () => {
    const read = await fetch(${url} + "api/overview", { credentials: "include" })
      .then(({ status }) => status, ({ name }) => name);
    const told = (thing) => new Promise((done) => {
      thing.onerror = () => done("error");
      thing.onload = thing.onopen = () => done("read");
    });
    const script = document.createElement("script");
    script.src = ${url} + "api/overview";
    document.head.append(script);
    const feed = new EventSource(${url} + "api/live", { withCredentials: true });
    const answers = { read, script: await told(script), feed: await told(feed) };
    feed.close();
    return answers;
  })()`;
}

/** What it gets that shows the dashboard in a frame, for people to click on what they don't see. */
async function framed(page: Page, url: string): Promise<string | undefined> {
  await page.evaluate(`new Promise((done) => {
    const frame = document.createElement("iframe");
    frame.onload = done;
    frame.name = "inside";
    frame.src = ${JSON.stringify(url)};
    document.body.append(frame);
  })`);
  return page.frame("inside")?.url();
}

const CHANGE_OF_ITS_OWN = `fetch("api/queues/mail/pause", {
  method: "POST",
  body: "{}",
  headers: ${JSON.stringify(OF_THE_PAGE)},
}).then(({ status }) => status)`;
