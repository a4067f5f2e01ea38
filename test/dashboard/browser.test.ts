import { expect, test, vi } from "vitest";
import { violations } from "../harness/accessibility.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { ask, charge, COUNT, EVIL, fleet, send } from "./browser-fleet.ts";
import { describeInBrowser, heading, open } from "./in-browser.ts";

// A browser, a server and a node beside whatever else the machine does.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const PATIENCE_MS = 60_000;

describeInBrowser("the dashboard", (browserOf) => {
  describeServer("of a fleet", "newest", (server) => {
    test("an operator finds what jobs died of, retries all of them, and sees them succeed", async () => {
      const { client, served, bankIsUp } = await fleet(server);
      const { page, trouble } = await open(browserOf(), served.url);
      await heading(page, "Overview");
      await page.getByRole("link", { name: `${COUNT} dead letters in queue billing.` }).click();
      await heading(page, "Errors of billing");
      await page.getByRole("link", { name: "CardDeclined" }).click();
      await heading(page, /^CardDeclined.* in billing$/);
      await page.getByText("The bank refused").first().waitFor();
      bankIsUp();
      await page.getByRole("button", { name: "Retry all" }).click();
      const dialog = page.getByRole("dialog", { name: `Retry ${COUNT} dead letters?` });
      await dialog.getByRole("button", { name: "Retry all" }).click();
      await heading(page, "Retry dead letters");
      await page.getByText(`${COUNT} of ${COUNT} done`, { exact: true }).waitFor();
      await page.getByRole("button", { name: "Stop" }).waitFor({ state: "detached" });
      await page.goBack();
      await heading(page, /^CardDeclined.* in billing$/);
      await page.getByText("No letter of this cause is left.").waitFor();
      await page.getByRole("link", { name: "What was settled last of billing.charge" }).click();
      await heading(page, "Jobs");
      const succeeded = page.getByRole("row").filter({ hasText: "succeeded" });
      await succeeded.nth(COUNT - 1).waitFor();
      await succeeded.first().getByRole("link").first().click();
      await heading(page, /^Job /);
      await page.getByRole("region", { name: "Result as JSON" }).waitFor();
      // It died once and lives again: the attempts of both lives are there, the newest open.
      const lines = page.getByRole("region", { name: /^Log of attempt 1 on worker-1/ });
      await lines.last().getByText("charging <img").waitFor();
      expect(await client.jobs.count({ state: "dead" })).toBe(0);
      expect(await client.audit.list()).toMatchObject([
        { action: "dead retry", by: "ada@example.com", outcome: { count: COUNT, failed: 0 } },
      ]);
      expect(await page.evaluate(() => "attacked" in globalThis)).toBe(false);
      expect(trouble).toEqual([]);
    });

    test("an operator is told how many jobs match, cancels all of them, and sees it done", async () => {
      const { client, served } = await fleet(server);
      await client.enqueueMany(
        send,
        Array.from({ length: 5 }, (_, n) => ({ input: { to: `late-${n}` }, delay: "3h" })),
      );
      await client.enqueue(charge, { customer: EVIL, amount: 1 }, { id: "other", delay: "3h" });
      const { page, trouble } = await open(browserOf(), served.url);
      await page.goto(`${served.url}jobs?state=delayed&queue=mail`);
      await heading(page, "Jobs");
      const terms = page.getByLabel("Search", { exact: true });
      await terms.fill("attempts>many");
      await terms.press("Enter");
      await page.getByText("a whole number; got attempts>many at character 1").waitFor();
      await terms.fill("attempts=0 age<1d");
      await terms.press("Enter");
      await page.getByRole("row").filter({ hasText: "mail.send" }).nth(5).waitFor();
      await page.getByRole("button", { name: "Cancel all that match" }).click();
      const question = "Cancel all delayed jobs of mail that fit attempts=0 age<1d?";
      const dialog = page.getByRole("dialog", { name: question });
      await dialog.getByText("6 jobs match now.").waitFor();
      await dialog.getByLabel(/^Why/).fill(EVIL);
      await dialog.getByRole("button", { name: "Cancel all that match" }).click();
      await heading(page, "Cancel jobs");
      await page.getByText("6 of 6 done", { exact: true }).waitFor();
      await page.getByRole("link", { name: "All operations" }).click();
      await heading(page, "Operations");
      await page.getByRole("link", { name: "Cancel jobs" }).waitFor();
      await eventually(async () => (await client.jobs.count({ state: "delayed" })) === 1, {
        withinMs: PATIENCE_MS,
        describe: "nothing but the other job is delayed",
      });
      expect(await client.audit.list()).toMatchObject([
        { action: "jobs cancel", by: "ada@example.com", outcome: { count: 6, failed: 0 } },
      ]);
      expect(await page.evaluate(() => "attacked" in globalThis)).toBe(false);
      // The browser itself logs that the terms that nobody can read were refused.
      const refused = "the server responded with a status of 400";
      expect(trouble.filter((said) => !said.includes(refused))).toEqual([]);
    });

    test("somebody finds a job by what it was given, and is told what the search can know of", async () => {
      const { client, served } = await fleet(server);
      const { page, trouble } = await open(browserOf(), served.url);
      await page.getByRole("link", { name: "Jobs", exact: true }).first().click();
      await heading(page, "Jobs");
      await page.getByText(/The index has [\d,]+ jobs and is up to date/).waitFor();
      const field = page.getByLabel("Search", { exact: true });
      await field.fill("payload.am");
      // Until the answer for these letters is there, the list is the one of the empty field.
      const next = page.locator("datalist option");
      const values = () => next.evaluateAll((all) => all.map((one) => one.getAttribute("value")));
      await expect.poll(values, { timeout: PATIENCE_MS }).toEqual(["payload.amount:"]);
      await field.fill("payload.amount:7 state:dead");
      await field.press("Enter");
      await page.getByRole("row").filter({ hasText: "dead" }).waitFor();
      // The heading and the one.
      expect(await page.getByRole("row").count()).toBe(2);
      expect(new URL(page.url()).searchParams.get("filter")).toBe("payload.amount:7 state:dead");
      await client.enqueue(send, { to: "found@example.com" }, { id: "late" });
      await field.fill("found@example.com");
      await field.press("Enter");
      await page.getByRole("link", { name: "late", exact: true }).waitFor();
      expect(await page.evaluate(() => "attacked" in globalThis)).toBe(false);
      expect(trouble).toEqual([]);
    });

    test("an operator sees what a job with steps waits for, signals it, and sees it go on", async () => {
      const { client, served } = await fleet(server);
      await client.enqueue(ask, undefined, { id: "letter-1" });
      const { page, trouble } = await open(browserOf(), served.url);
      await page.goto(`${served.url}jobs/mail/letter-1`);
      await heading(page, "Job letter-1");
      const steps = page.getByRole("region", { name: "Steps, table" });
      await steps.getByRole("row", { name: /^draft <img.*done/ }).waitFor();
      await steps.getByText(/for the signal approval until in [67] ?d/).waitFor();
      await steps.getByRole("button", { name: "Send signal" }).click();
      const dialog = page.getByRole("dialog", { name: "Send the signal approval to letter-1?" });
      const value = dialog.getByLabel("Its value, as JSON (empty: null)");
      await value.fill("{ok:");
      await dialog.getByRole("button", { name: "Send signal" }).click();
      await dialog.getByRole("alert").filter({ hasText: "JSON" }).waitFor();
      await value.fill('{"ok":true}');
      await dialog.getByRole("button", { name: "Send signal" }).click();
      await page.getByText("The signal approval was sent.").waitFor();
      await page.getByText("There were 2 steps.").waitFor();
      await page.getByRole("region", { name: "Result as JSON" }).getByText("ok").waitFor();
      expect(await client.audit.list()).toMatchObject([
        { action: "jobs signal", by: "ada@example.com", outcome: { count: 1, failed: 0 } },
      ]);
      expect(await page.evaluate(() => "attacked" in globalThis)).toBe(false);
      expect(trouble).toEqual([]);
    });

    test("axe finds nothing on any page in either theme, and no page is wider than a phone", async () => {
      const { client, served } = await fleet(server);
      await client.enqueue(ask, undefined, { id: "letter-1" });
      await eventually(async () => (await client.job("letter-1")).steps?.length === 2, {
        withinMs: PATIENCE_MS,
        describe: "the job with steps waits",
      });
      await client.queues.pause("mail", { reason: EVIL });
      const [group] = await client.dead.groups();
      const { queue = "", name = "", reason = "", error = "", lastId = "" } = group ?? {};
      const begun = await client.operations.start({
        kind: "dead-discard",
        filter: { queue, id: "nobody" },
        reason: EVIL,
      });
      const of = new URLSearchParams({ queue, name, reason, error }).toString();
      const pages = {
        overview: "",
        queue: "queues/mail",
        jobs: "jobs",
        delayed: "jobs?state=delayed&queue=mail",
        errors: "errors",
        filtered: "errors?filter=message~bank&dead=only",
        limits: "limits",
        cause: `errors/cause?${of}`,
        job: `jobs/${queue}/${lastId}`,
        steps: "jobs/mail/letter-1",
        schedules: "schedules",
        machines: "machines",
        machine: "machines/claim/c-1",
        counted: "machines?machine=claim",
        runtime: "machines/runtime",
        nodes: "nodes",
        operations: "operations",
        operation: `operations/${begun.id}`,
        audit: "audit",
        outbox: "outbox",
        doctor: "doctor",
        nothing: "there/is/no/such/page",
      };
      for (const colorScheme of ["light", "dark"] as const) {
        const { page, trouble } = await open(browserOf(), served.url, { colorScheme });
        for (const [called, path] of Object.entries(pages)) {
          await page.goto(`${served.url}${path}`);
          await page.getByText("Live", { exact: true }).waitFor();
          await page.getByText("Loading…").first().waitFor({ state: "detached" });
          expect(await violations(page), `${called}, ${colorScheme}`).toEqual([]);
          await page.setViewportSize({ width: 360, height: 740 });
          const width = await page.evaluate<number>("document.documentElement.scrollWidth");
          expect(width, `${called} on a phone`).toBeLessThanOrEqual(360);
          await page.setViewportSize({ width: 1_200, height: 750 });
        }
        expect(await page.evaluate(() => "attacked" in globalThis)).toBe(false);
        expect(trouble).toEqual([]);
      }
    });

    test("a machine is found, and an operator sends it an event", async () => {
      const { served } = await fleet(server);
      const { page, trouble } = await open(browserOf(), served.url);
      await page.getByRole("link", { name: "Machines" }).click();
      await heading(page, "Machines");
      await page.getByLabel("Status").selectOption("active");
      await page.getByRole("link", { name: "c-1" }).click();
      await heading(page, "claim c-1");
      await page.getByText("open.read", { exact: true }).first().waitFor();
      await page.getByText("BOOM could not be taken").waitFor();
      const chart = page.getByRole("img", { name: "c-1 is in open.read" });
      const lit = (name: string) => chart.locator("g.active", { hasText: new RegExp(`^${name}$`) });
      await lit("open").waitFor();
      await lit("read").waitFor();
      expect(await chart.locator("g.taken").allTextContents()).toEqual(["NOTE"]);
      await page.getByText("the timer after 7d").waitFor();
      await page.getByText("The chart as a table").click();
      await page.getByRole("cell", { name: "boom", exact: true }).waitFor();
      expect(await violations(page)).toEqual([]);
      await page.getByRole("button", { name: "Send event" }).click();
      const dialog = page.getByRole("dialog", { name: "Send an event to claim c-1?" });
      await dialog.getByRole("textbox").fill('{"type":"ACCEPT"}');
      await dialog.getByRole("button", { name: "Send event" }).click();
      await page.getByText("The event was sent.").waitFor();
      await page.getByText("nothing: it has come to an end").waitFor();
      await page.getByRole("img", { name: "c-1 has ended in accepted" }).waitFor();
      const transitions = page.getByRole("region", { name: "Last transitions, table" });
      await transitions.getByRole("cell", { name: "accepted" }).waitFor();
      expect(await page.getByRole("button", { name: "Send event" }).count()).toBe(0);
      expect(trouble).toEqual([]);
    });

    test("the outbox is shown, and a row of it is let through again", async () => {
      const { served, client } = await fleet(server);
      const { page, trouble } = await open(browserOf(), served.url);
      await page.getByRole("link", { name: "Outbox" }).click();
      await heading(page, "Outbox");
      await page.getByRole("cell", { name: `undecodable: It is ${EVIL}.` }).waitFor();
      await page.getByRole("button", { name: "Retry all" }).click();
      const dialog = page.getByRole("dialog", { name: "Retry 1 row?" });
      await dialog.getByRole("button", { name: "Retry all" }).click();
      await page.getByText("1 row may be published again.").waitFor();
      await page.getByText("No row was set aside").waitFor();
      expect(await client.audit.list()).toMatchObject([{ action: "outbox retry" }]);
      expect(await page.evaluate(() => "attacked" in globalThis)).toBe(false);
      expect(trouble).toEqual([]);
    });

    test("the doctor says what is wrong and what to do, and looks again when asked", async () => {
      const { served, client } = await fleet(server);
      const { page, trouble } = await open(browserOf(), served.url);
      await page.getByRole("link", { name: "Doctor" }).click();
      await heading(page, "Doctor");
      await page.getByRole("cell", { name: "server-version" }).waitFor();
      const fresh = page.getByRole("cell", { name: "queue fresh", exact: true });
      expect(await fresh.count()).toBe(0);
      await client.queues.ensure("fresh");
      // What was answered within the last second is told again.
      const look = async (): Promise<boolean> => {
        await page.getByRole("button", { name: "Look again" }).click();
        return (await fresh.count()) === 1;
      };
      await eventually(look, {
        withinMs: 60_000,
        everyMs: 500,
        describe: "the doctor has seen the queue",
      });
      expect(trouble).toEqual([]);
    });

    test("a page says that it lost its connection, and catches up", async () => {
      const { client, served, serveAgain } = await fleet(server);
      const { page } = await open(browserOf(), served.url);
      await page.getByText("Live", { exact: true }).waitFor();
      await served.close();
      await page.getByText("Connection lost, trying again").waitFor();
      await client.queues.pause("mail", { reason: "meanwhile" });
      await serveAgain();
      await page.getByText("Live", { exact: true }).waitFor();
      await page.getByText("Queue mail is paused").waitFor();
    });

    test("keys go to a queue by its name, through a table's rows, to the filter, and say what they are", async () => {
      const { served } = await fleet(server);
      const { page, trouble } = await open(browserOf(), served.url);
      await page.getByText("Live", { exact: true }).waitFor();
      await page.keyboard.press("Control+k");
      const palette = page.getByRole("dialog", { name: "Go to" });
      const typed = palette.getByRole("combobox");
      await typed.fill("mai");
      await palette.getByRole("option", { name: "mail queue" }).waitFor();
      expect(await violations(page)).toEqual([]);
      await page.keyboard.press("Enter");
      await heading(page, "Queue mail");
      await palette.waitFor({ state: "detached" });
      await page.keyboard.press("Control+k");
      await typed.fill("jobs");
      await page.keyboard.press("Enter");
      await heading(page, "Jobs");
      await page.getByRole("row").nth(2).waitFor();
      const rowOfFocus = (): Promise<number> =>
        page.evaluate<number>(
          `[...document.querySelectorAll("main tbody tr")].findIndex((row) => row.contains(document.activeElement))`,
        );
      for (const [key, row] of [
        ["j", 0],
        ["j", 1],
        ["k", 0],
      ] as const) {
        await page.keyboard.press(key);
        expect(await rowOfFocus(), key).toBe(row);
      }
      const times = page.locator("main tbody time");
      const exact = (await times.first().getAttribute("title")) ?? "no title";
      await page.keyboard.press("t");
      await times.getByText(exact).first().waitFor();
      await page.reload();
      await times.getByText(exact).first().waitFor();
      await times.first().click();
      await times.getByText(/ago$/).first().waitFor();
      await page.keyboard.press("/");
      await page.keyboard.type("jk?");
      expect(await rowOfFocus()).toBe(-1);
      expect(await page.locator(":focus").inputValue()).toContain("jk?");
      await page.locator(":focus").blur();
      await page.keyboard.press("?");
      const help = page.getByRole("dialog", { name: "Keys" });
      await help.getByText("the next and the previous row").waitFor();
      expect(await violations(page)).toEqual([]);
      await page.keyboard.press("Escape");
      await help.waitFor({ state: "detached" });
      expect(trouble).toEqual([]);
    });

    test("everything is done by keyboard: to a page, to its action, and back out of it", async () => {
      const { served } = await fleet(server);
      const { page } = await open(browserOf(), served.url);
      const focus = async (name: string): Promise<void> => {
        const focused = page.locator(":focus");
        for (let presses = 0; presses < 60; presses += 1) {
          if ((await focused.count()) > 0 && (await focused.innerText()).trim() === name) return;
          await page.keyboard.press("Tab");
        }
        throw new Error(`Sixty presses of Tab never reached ${name}.`);
      };
      await heading(page, "Overview");
      await page.getByText("Live", { exact: true }).waitFor();
      await page.getByRole("link", { name: "mail", exact: true }).first().waitFor();
      await focus("mail");
      await page.keyboard.press("Enter");
      await heading(page, "Queue mail");
      await page.getByRole("button", { name: "Pause" }).waitFor();
      await focus("Pause");
      await page.keyboard.press("Enter");
      const dialog = page.getByRole("dialog", { name: "Pause the queue mail?" });
      await dialog.waitFor();
      await page.keyboard.press("Escape");
      await dialog.waitFor({ state: "hidden" });
    });
  });
});
