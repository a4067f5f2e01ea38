import { serveDashboard } from "millrace/dashboard";
import { expect, onTestFinished, test, vi } from "vitest";
import { violations } from "../harness/accessibility.ts";
import { describeServer } from "../harness/servers.ts";
import { fleet, send } from "./browser-fleet.ts";
import { describeInBrowser, heading, open } from "./in-browser.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PHONE = { width: 390, height: 800 };

describeInBrowser("the trace of a job", (browserOf) => {
  describeServer("of a fleet", "newest", (server) => {
    test("is shown, copied, and linked to where traces are shown", async () => {
      const { client, served } = await fleet(server);
      const headers = { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` };
      await client.enqueue(send, { to: "ann" }, { id: "done", headers });
      await client.handle("done", "mail").result();
      await client.enqueue(send, { to: "ann" }, { id: "later", delay: "2h", headers });
      const linked = await serveDashboard({
        ...{ millrace: client, port: 0, localName: "ada", title: "shop" },
        traceUrl: "https://traces.example/trace/{traceId}",
      });
      onTestFinished(() => linked.close());
      const { page, trouble } = await open(browserOf(), linked.url, {
        permissions: ["clipboard-read", "clipboard-write"],
      });
      for (const id of ["done", "later"]) {
        await page.goto(`${linked.url}jobs/mail/${id}`);
        await heading(page, `Job ${id}`);
        const link = page.getByRole("link", { name: TRACE });
        expect(await link.getAttribute("href")).toBe(`https://traces.example/trace/${TRACE}`);
        await page.evaluate("navigator.clipboard.writeText('')");
        await page.getByRole("button", { name: "Copy the trace id" }).press("Enter");
        await page.getByText("The trace id is copied.").waitFor();
        expect(await page.evaluate("navigator.clipboard.readText()")).toBe(TRACE);
      }
      // Its beginning stands in the list of jobs too, beside a job that was not traced.
      await client.enqueue(send, { to: "bob" }, { id: "untraced" });
      await client.handle("untraced", "mail").result();
      for (const [id, state] of [
        ["done", "succeeded"],
        ["later", "delayed"],
      ] as const) {
        await page.goto(`${linked.url}jobs?state=${state}`);
        const row = page.getByRole("row").filter({ hasText: id });
        const mark = row.getByRole("link", { name: TRACE.slice(0, 8) });
        expect(await mark.getAttribute("href")).toBe(`https://traces.example/trace/${TRACE}`);
      }
      expect(await violations(page)).toEqual([]);
      await page.goto(`${linked.url}jobs/mail/later`);
      await heading(page, "Job later");
      expect(await violations(page)).toEqual([]);
      await page.emulateMedia({ colorScheme: "dark" });
      expect(await violations(page)).toEqual([]);
      await page.setViewportSize(PHONE);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(PHONE.width);
      expect(trouble).toEqual([]);

      // Where nobody said where traces are shown, and a browser that has no clipboard.
      const { page: other } = await open(browserOf(), served.url);
      await other.addInitScript("Object.defineProperty(navigator, 'clipboard', {})");
      await other.goto(`${served.url}jobs/mail/done`);
      await other.getByText(TRACE).waitFor();
      expect(await other.getByRole("link", { name: TRACE }).count()).toBe(0);
      await other.getByRole("button", { name: "Copy the trace id" }).click();
      await other.getByText("The trace id is selected: copy it with the keyboard.").waitFor();
      expect(await other.evaluate("String(getSelection())")).toBe(TRACE);
    });
  });
});
