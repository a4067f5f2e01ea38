import { expect, test, vi } from "vitest";
import { violations } from "../harness/accessibility.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { fleet, send } from "./browser-fleet.ts";
import { describeInBrowser, heading, open } from "./in-browser.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

describeInBrowser("what the dashboard changes as the command does", (browserOf) => {
  describeServer("of a fleet", "newest", (server) => {
    test("an operator gives one delayed job another time, and purges what is delayed by an operation that is taken back", async () => {
      const { client, served } = await fleet(server);
      await client.enqueue(send, { to: "ann" }, { id: "letter", delay: "1h" });
      const due = async (): Promise<number | undefined> =>
        (await client.delayed.list({ queue: "mail" })).find(({ id }) => id === "letter")?.notBefore;
      const first = await eventually(due, {
        ...{ withinMs: 60_000, describe: "the letter is put aside for its time" },
      });
      const { page, trouble } = await open(browserOf(), served.url);
      await page.goto(`${served.url}jobs/mail/letter`);
      await heading(page, "Job letter");
      await page.getByRole("button", { name: "Reschedule" }).click();
      const dialog = page.getByRole("dialog", { name: "Give the job letter another time?" });
      await dialog.getByLabel("Not before this long from now").fill("5h");
      expect(await violations(page)).toEqual([]);
      await dialog.getByRole("button", { name: "Reschedule" }).click();
      await page.getByText("letter has another time.").waitFor();
      expect(await due()).toBeGreaterThan((first ?? 0) + 3 * 3_600_000);

      await page.goto(`${served.url}queues/mail`);
      await page.getByRole("button", { name: "Purge", exact: true }).click();
      const purge = page.getByRole("dialog", { name: "Cancel all jobs that wait in mail?" });
      await purge.getByText("0 jobs match now.").waitFor();
      await purge.getByLabel("2 delayed jobs too, retries among them").check();
      await purge.getByText("2 jobs match now.").waitFor();
      expect(await violations(page)).toEqual([]);
      await purge.getByLabel(/^Why/).fill("the list was wrong");
      await purge.getByRole("button", { name: "Purge" }).click();
      await heading(page, "Cancel jobs");
      await page.getByText("2 of 2 done", { exact: true }).waitFor();
      // The server lets go of them by its own clock.
      await eventually(
        async () => (await client.jobs.count({ state: "delayed", queue: "mail" })) === 0,
        { withinMs: 60_000, describe: "none waits for its time any more" },
      );
      await eventually(async () => (await client.job("letter")).state === "cancelled", {
        ...{ withinMs: 60_000, describe: "a node has taken the letter out" },
      });
      await page.getByRole("button", { name: "Undo" }).click();
      const undo = page.getByRole("dialog", { name: "Enqueue 2 jobs anew?" });
      await undo.getByRole("button", { name: "Undo" }).click();
      await page.getByText(/^undoes=/).waitFor();
      await page.getByText("2 of 2 done", { exact: true }).waitFor();
      await eventually(
        async () => (await client.jobs.count({ state: "delayed", queue: "mail" })) === 2,
        { withinMs: 60_000, describe: "both wait for their time again" },
      );
      const audit = await client.audit.list();
      expect(audit.map(({ action, by }) => `${by}: ${action}`)).toEqual([
        "ada@example.com: cancel undo",
        "ada@example.com: jobs cancel",
        "ada@example.com: jobs reschedule",
      ]);
      expect(trouble).toEqual([]);
    });

    test("an operator makes a queue and sets where it sends on to, and adds and removes a schedule", async () => {
      const { client, served } = await fleet(server);
      const { page, trouble } = await open(browserOf(), served.url);
      await heading(page, "Overview");
      await page.getByRole("button", { name: "Create a queue" }).click();
      const create = page.getByRole("dialog", { name: "Create a queue?" });
      await create.getByLabel("Name").fill("print");
      await create.getByLabel(/^Jobs it takes/).fill("500");
      expect(await violations(page)).toEqual([]);
      await create.getByRole("button", { name: "Create a queue" }).click();
      await heading(page, "Queue print");
      await page.getByText("500 jobs", { exact: true }).waitFor();
      await page.getByRole("button", { name: "Set limits" }).click();
      const limits = page.getByRole("dialog", { name: "Set limits of print?" });
      await limits.getByLabel("Jobs it takes (now 500)").waitFor();
      await limits.getByLabel(/^Queues that its producers/).fill("mail");
      await limits.getByLabel(/^Jobs of its producers that may wait/).fill("7");
      await limits.getByRole("button", { name: "Set limits" }).click();
      await page.getByText("The limits of print are set.").waitFor();
      await page.getByText("500 jobs, 7 parked", { exact: true }).waitFor();
      expect(await client.queues.controls("print")).toEqual({ sendsTo: ["mail"], maxParked: 7 });

      await page.getByRole("link", { name: "Schedules", exact: true }).click();
      await heading(page, "Schedules");
      await page.getByRole("button", { name: "Add a schedule" }).click();
      const add = page.getByRole("dialog", { name: "Add a schedule?" });
      await add.getByLabel("Name of the schedule").fill("weekly");
      await add.getByLabel("Job that it enqueues").fill("mail.send");
      await add.getByLabel("Queue of that job").fill("mail");
      await add.getByLabel(/^Cron expression/).fill("0 8 * * 2");
      await add.getByLabel(/^Payload of its jobs/).fill('{"to":"all"}');
      expect(await violations(page)).toEqual([]);
      await add.getByRole("button", { name: "Add a schedule" }).click();
      const card = page.getByRole("article", { name: "weekly" });
      await card.getByText("0 8 * * 2").waitFor();
      expect((await client.cron.list()).find(({ name }) => name === "weekly")).toMatchObject({
        ...{ job: "mail.send", queue: "mail", payload: { to: "all" } },
      });
      await card.getByRole("button", { name: "Remove" }).click();
      const remove = page.getByRole("dialog", { name: "Remove the schedule weekly?" });
      await remove.getByRole("button", { name: "Remove" }).click();
      await card.waitFor({ state: "detached" });
      expect((await client.cron.list()).map(({ name }) => name)).toEqual(["newsletter"]);
      expect(trouble).toEqual([]);
    });

    test("an operator starts a machine, stops it and forgets it", async () => {
      const { client, served } = await fleet(server);
      const { page, trouble } = await open(browserOf(), served.url);
      await page.getByRole("link", { name: "Machines", exact: true }).click();
      await heading(page, "Machines");
      await page.getByRole("button", { name: "Start a machine" }).click();
      const start = page.getByRole("dialog", { name: "Start a durable machine?" });
      await start.getByLabel("Machine", { exact: true }).fill("claim");
      await start.getByLabel("Id", { exact: true }).fill("c-9");
      await start.getByLabel(/^Its input/).fill('{"customer":"ann"}');
      expect(await violations(page)).toEqual([]);
      await start.getByRole("button", { name: "Start a machine" }).click();
      await heading(page, "claim c-9");
      await page.getByRole("button", { name: "Stop" }).click();
      const stop = page.getByRole("dialog", { name: "Stop claim c-9?" });
      await stop.getByText(/^It ends as it stands/).waitFor();
      await stop.getByRole("button", { name: "Stop" }).click();
      await stop.waitFor({ state: "detached" });
      await page.getByRole("button", { name: "Stop" }).waitFor({ state: "detached" });
      expect(await client.machine("claim", "c-9").snapshot()).toMatchObject({ status: "stopped" });
      await page.getByRole("button", { name: "Forget" }).click();
      const forget = page.getByRole("dialog", { name: "Forget claim c-9?" });
      expect(await violations(page)).toEqual([]);
      await forget.getByRole("button", { name: "Forget" }).click();
      await heading(page, "Machines");
      const { machines } = await client.machines.list({ machine: "claim" });
      expect(machines.map(({ id }) => id)).toEqual(["c-1"]);
      // The page asks for the machine before a node has begun with it.
      const unknown = "the server responded with a status of 404";
      expect(trouble.filter((said) => !said.includes(unknown))).toEqual([]);
    });
  });
});
