// Prometheus' own tool judges what is made for it: rules, configuration, and what a node shows.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { connect, defineJob } from "millrace";
import { expect, onTestFinished, test, vi } from "vitest";
import { parse, stringify } from "yaml";
import { startMillrace } from "../cli/millrace.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { type Ran, runCommand } from "../packaging/run-command.ts";
import { dashboard, withoutVariables } from "./expressions.ts";
import { findProgram } from "./program.ts";
import { CHART } from "./rendered.ts";

vi.setConfig({ testTimeout: 120_000 });

const ROOT = resolve(import.meta.dirname, "../..");
const JOBS = join(ROOT, "test/operations/programs/night-mail.ts");
const ALERTS = join(CHART, "files/alerts.yaml");
const PATIENCE_MS = 90_000;
const invoice = defineJob<{ order: number }>({ name: "invoice", queue: "mail" });

const promtool = findProgram("promtool", "PROMTOOL");
const why =
  promtool === undefined ? " (no promtool on the PATH; Debian: apt-get install prometheus)" : "";

/** What promtool says of a file with this text. */
async function judged(kind: "config" | "rules" | "metrics", text: string): Promise<Ran> {
  const folder = await mkdtemp(join(tmpdir(), "millrace-promtool-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "judged.yaml");
  await writeFile(file, text);
  const check = [promtool ?? "", "check", kind];
  return kind === "metrics"
    ? runCommand(["sh", "-c", '"$0" check metrics < "$1"', promtool ?? "", file], folder)
    : runCommand([...check, file], folder);
}

test.skipIf(why !== "")(`the rules are right, and a wrong one is seen${why}`, async () => {
  const rules = await readFile(ALERTS, "utf8");
  expect(await judged("rules", rules)).toMatchObject({ code: 0 });
  const wrong = rules.replace("expr: ", "expr: sum by (queue (");
  expect(await judged("rules", wrong)).toMatchObject({ code: 1 });
});

test.skipIf(why !== "")(
  `each panel of the dashboard asks what Prometheus takes${why}`,
  async () => {
    const rules = dashboard.panels
      .flatMap(({ targets = [] }) => targets)
      .map(({ expr }, at) => ({ record: `panel:${at}`, expr: withoutVariables(expr) }));
    const groups = [{ name: "panels", rules }];
    const { code, output } = await judged("rules", stringify({ groups }));
    expect([code, output]).toEqual([0, expect.stringContaining(`${rules.length} rules found`)]);
  },
);

test.skipIf(why !== "")(`the configurations are right${why}`, async () => {
  const compose = await readFile(join(ROOT, "deploy/compose/prometheus.yaml"), "utf8");
  // Where the compose file mounts the chart's.
  const config = compose.replace("/etc/prometheus/alerts.yaml", ALERTS);
  expect(config).toContain(ALERTS);
  expect(await judged("config", config)).toMatchObject({ code: 0 });
  const page = await readFile(join(ROOT, "docs/metrics.md"), "utf8");
  const shown = [...page.matchAll(/```yaml\n([^]*?)```/g)].map(([, text = ""]) => text);
  const configs = shown.filter((text) => "scrape_configs" in (parse(text) as object));
  expect(configs.length).toBeGreaterThan(0);
  for (const text of configs) expect(await judged("config", text)).toMatchObject({ code: 0 });
});

describeServer(
  "a node's page, as promtool sees it",
  "newest",
  (server) => {
    test.skipIf(why !== "").each([
      ["of a node", []],
      ["of a node of two processes", ["--processes", "2"]],
    ])(`%s${why}`, async (_, processes) => {
      const namespace = server.namespace();
      const node = startMillrace(["run", JOBS, "--health-port", "0", "--json", ...processes], {
        MILLRACE_SERVERS: server.url,
        MILLRACE_NAMESPACE: namespace,
      });
      const ready = await node.line(/"healthUrl"/, PATIENCE_MS);
      const { healthUrl } = JSON.parse(ready) as { readonly healthUrl: string };
      const client = await connect({ servers: server.url, namespace, env: {} });
      onTestFinished(() => client.close());
      await client.enqueue(invoice, { order: 3 });
      let page = "";
      await eventually(
        async () => {
          const response = await fetch(`${healthUrl}/metrics`, {
            headers: { connection: "close" },
          });
          page = await response.text();
          return /^millrace_jobs_dead_total\{.*queue="mail"/m.test(page);
        },
        { withinMs: PATIENCE_MS, everyMs: 100, describe: () => `the job died. The page:\n${page}` },
      );
      expect(await judged("metrics", page)).toEqual({ code: 0, output: "" });
    });
  },
  { singleServer: "what is tested is the page" },
);
