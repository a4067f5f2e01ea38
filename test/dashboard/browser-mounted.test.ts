// The page in a browser, below a path of an application's own.
import { createServer } from "node:http";
import { getRequestListener } from "@hono/node-server";
import express from "express";
import { createDashboard } from "millrace/dashboard";
import { expect, onTestFinished, test, vi } from "vitest";
import { describeServer } from "../harness/servers.ts";
import { fleet } from "./browser-fleet.ts";
import { describeInBrowser, heading, open } from "./in-browser.ts";
import { listen } from "./listen.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const BASE = "/admin/jobs";

describeInBrowser("the dashboard below a path of an application", (browserOf) => {
  describeServer("of a fleet", "newest", (server) => {
    test("has its links, a change, a deep link and what is live below that path", async () => {
      const { client } = await fleet(server);
      const dashboard = createDashboard({
        ...{ millrace: client, basePath: BASE, title: "shop" },
        authorize: () => ({ name: "ada@example.com", role: "operator" }),
      });
      onTestFinished(() => dashboard.close());
      const app = express();
      const listener = getRequestListener(dashboard, { overrideGlobalObjects: false });
      const asked: string[] = [];
      app.use((request, _response, next) => {
        asked.push(request.path);
        next();
      });
      app.use(BASE, (incoming, outgoing) => void listener(incoming, outgoing));
      const url = `${await listen(createServer(app))}${BASE}/`;

      const { page, trouble } = await open(browserOf(), url);
      const button = (name: string) => page.getByRole("button", { name, disabled: false });
      await heading(page, "Overview");
      await page.getByRole("link", { name: "billing", exact: true }).first().click();
      await heading(page, "Queue billing");
      expect(page.url()).toBe(`${url}queues/billing`);
      await button("Pause").click();
      await page.getByRole("dialog").getByRole("button", { name: "Pause" }).click();
      await button("Resume").waitFor();
      expect(await client.queues.controls("billing")).toMatchObject({
        paused: { by: "ada@example.com" },
      });
      await page.reload();
      await heading(page, "Queue billing");
      await page.getByText("Live", { exact: true }).waitFor();
      await button("Resume").waitFor();
      // Nobody reloads: it hears of it.
      await client.queues.resume("billing");
      await button("Pause").waitFor();
      expect(trouble).toEqual([]);
      expect(asked.filter((path) => !path.startsWith(`${BASE}/`))).toEqual([]);
    });
  });
});
