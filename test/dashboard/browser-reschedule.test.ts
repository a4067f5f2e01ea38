import { expect, test, vi } from "vitest";
import { violations } from "../harness/accessibility.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { fleet, send } from "./browser-fleet.ts";
import { describeInBrowser, heading, open } from "./in-browser.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const HOUR_MS = 3_600_000;

describeInBrowser("delayed jobs of the dashboard", (browserOf) => {
  describeServer("of a fleet", "newest", (server) => {
    test("an operator gives all that match another time, and takes it back", async () => {
      const { client, served } = await fleet(server);
      const due = async (): Promise<readonly (readonly [string, number])[]> =>
        (await client.delayed.list({ queue: "mail" }))
          .map(({ id, notBefore }) => [id, notBefore] as const)
          .toSorted(([a], [b]) => (a < b ? -1 : 1));
      const already = (await due()).length;
      for (const n of [1, 2, 3])
        await client.enqueue(send, { to: `late-${n}` }, { id: `late-${n}`, delay: `${n}h` });
      const count = already + 3;
      await eventually(async () => (await due()).length === count, {
        withinMs: 60_000,
        describe: "a node has put the jobs aside for their time",
      });
      const before = await due();
      const { page, trouble } = await open(browserOf(), served.url);
      await page.goto(`${served.url}jobs?state=delayed&queue=mail`);
      await heading(page, "Jobs");
      await page.getByRole("button", { name: "Reschedule all that match" }).click();
      const question = "Give all delayed jobs of mail another time?";
      const dialog = page.getByRole("dialog", { name: question });
      await dialog.getByText(`${count} jobs match now.`).waitFor();
      const delay = dialog.getByLabel("Not before this long from now");
      await delay.fill("soon");
      await dialog.getByRole("button", { name: "Reschedule all that match" }).click();
      await dialog.getByRole("alert").filter({ hasText: "delay" }).waitFor();
      expect(await violations(page)).toEqual([]);
      await delay.fill("10h");
      await dialog.getByRole("button", { name: "Reschedule all that match" }).click();
      await heading(page, "Reschedule jobs");
      await page.getByText(`${count} of ${count} done`, { exact: true }).waitFor();
      const moved = await due();
      expect(moved.every(([, at]) => at > Date.now() + 9 * HOUR_MS)).toBe(true);

      await page.getByRole("button", { name: "Undo" }).click();
      const undo = page.getByRole("dialog", { name: `Give ${count} jobs their old time again?` });
      await undo.getByRole("button", { name: "Undo" }).click();
      await page.getByText(/^undoes=/).waitFor();
      await page.getByText(`${count} of ${count} done`, { exact: true }).waitFor();
      expect(await due()).toEqual(before);
      expect(await client.audit.list()).toMatchObject([
        { action: "jobs reschedule", by: "ada@example.com", outcome: { count, failed: 0 } },
        { action: "jobs reschedule", by: "ada@example.com", outcome: { count, failed: 0 } },
      ]);
      // A time, as the command takes it: in the reader's zone, which is the machine's here.
      await page.goto(`${served.url}jobs?state=delayed&queue=mail`);
      await heading(page, "Jobs");
      await page.getByRole("button", { name: "Reschedule all that match" }).click();
      await dialog.getByLabel("When").selectOption("at a time");
      expect(await violations(page)).toEqual([]);
      await dialog.getByLabel("Not before this time, in your zone").fill("2027-01-31T12:30");
      await dialog.getByRole("button", { name: "Reschedule all that match" }).click();
      await page.getByText(`${count} of ${count} done`, { exact: true }).waitFor();
      const wanted = new Date(await page.evaluate(() => +new Date("2027-01-31T12:30"))).getTime();
      expect(new Set((await due()).map(([, at]) => at))).toEqual(new Set([wanted]));
      // The browser itself logs that the time that nobody can read was refused.
      const refused = "the server responded with a status of 400";
      expect(trouble.filter((said) => !said.includes(refused))).toEqual([]);
    });
  });
});
