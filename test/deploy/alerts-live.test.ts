// A real Prometheus scrapes a real node, and its alerts fire as things happen to the node.
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect, defineJob } from "millrace";
import { expect, onTestFinished, test, vi } from "vitest";
import { parse } from "yaml";
import { startMillrace } from "../cli/millrace.ts";
import { startChild } from "../harness/child.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { clockAhead } from "../operations/night.ts";
import { findProgram } from "./program.ts";
import { launchPrometheus } from "./live-prometheus.ts";
import { CHART } from "./rendered.ts";

vi.setConfig({ testTimeout: 300_000 });

const PATIENCE_MS = 90_000;
const JOBS = join(import.meta.dirname, "../operations/programs/night-mail.ts");
const CRUNCH = join(import.meta.dirname, "../operations/programs/night-crunch.ts");
const BIN = fileURLToPath(new URL("../../packages/millrace/src/cli/bin.ts", import.meta.url));
const crunch = defineJob<string>({ name: "crunch", queue: "crunch" });
const invoice = defineJob<{ order: number }>({ name: "invoice", queue: "mail" });

const prometheus = findProgram("prometheus", "PROMETHEUS");
const why =
  prometheus === undefined
    ? " (no prometheus on the PATH; Debian: apt-get install prometheus)"
    : "";

interface Rules {
  readonly groups: readonly { readonly name: string; readonly rules: readonly object[] }[];
}

/** The chart's rules, without their patience: how long a trouble lasts is promtool's to test. */
function impatientRules(): Rules {
  const { groups } = parse(readFileSync(join(CHART, "files/alerts.yaml"), "utf8")) as Rules;
  return {
    groups: groups.map(({ name, rules }) => ({
      name,
      rules: rules.map((rule) => ({ ...rule, for: "0s" })),
    })),
  };
}

describeServer(
  "alerts in a live Prometheus",
  "newest",
  (server) => {
    test.skipIf(why !== "")(`of dead letters, and of a fleet that is dead${why}`, async () => {
      const namespace = server.namespace();
      const node = startMillrace(["run", JOBS, "--health-port", "0", "--json"], {
        MILLRACE_SERVERS: server.url,
        MILLRACE_NAMESPACE: namespace,
      });
      const ready = await node.line(/"healthUrl"/, PATIENCE_MS);
      const { healthUrl } = JSON.parse(ready) as { readonly healthUrl: string };
      const { query, firing } = await launchPrometheus(
        prometheus ?? "",
        [new URL(healthUrl).host],
        impatientRules(),
      );
      const becomes = (what: string, look: () => Promise<boolean>): Promise<unknown> =>
        eventually(look, { withinMs: PATIENCE_MS, everyMs: 250, describe: what });

      await becomes("the node is scraped as ready", async () => {
        const values = await query("millrace_node_ready");
        return values.length === 1 && values[0] === 1;
      });
      await becomes("nothing fires", async () => !(await firing()).has("MillraceNoNodeReady"));
      // The very first one: its series begins at 1, in which `increase` alone sees none.
      const client = await connect({ servers: server.url, namespace, env: {} });
      onTestFinished(() => client.close());
      const dies = async (id: string, letters: number): Promise<void> => {
        await client.enqueue(invoice, { order: 3 }, { id });
        await becomes(`the letter of ${id} is scraped`, async () =>
          (await query('millrace_jobs_dead_total{job_name="invoice"}')).includes(letters),
        );
      };
      await dies("a", 1);
      await becomes("dead letters fire", async () => (await firing()).has("MillraceDeadLetters"));
      expect((await firing()).has("MillraceNoNodeReady")).toBe(false);

      await node.kill();
      await becomes("a dead fleet fires", async () => (await firing()).has("MillraceNoNodeReady"));
    });

    test.skipIf(why !== "")(
      `of two namespaces of one Prometheus, whose operator has a label "namespace" too${why}`,
      async () => {
        const found: { readonly namespace: string; readonly host: string }[] = [];
        for (const namespace of [server.namespace(), server.namespace()]) {
          const node = startMillrace(["run", JOBS, "--health-port", "0", "--json"], {
            MILLRACE_SERVERS: server.url,
            MILLRACE_NAMESPACE: namespace,
          });
          const { healthUrl } = JSON.parse(await node.line(/"healthUrl"/, PATIENCE_MS)) as {
            readonly healthUrl: string;
          };
          found.push({ namespace, host: new URL(healthUrl).host });
          const client = await connect({ servers: server.url, namespace, env: {} });
          onTestFinished(() => client.close());
          await client.enqueue(invoice, { order: 3 });
        }
        const targets = found.map(({ host }) => host);
        const { query } = await launchPrometheus(prometheus ?? "", [], impatientRules(), [
          { job_name: "pods", static_configs: [{ targets, labels: { namespace: "kube" } }] },
        ]);
        for (const { namespace } of found) {
          const own = `millrace_namespace="${namespace}",namespace="kube"`;
          await eventually(
            async () => (await query(`millrace_jobs_dead_total{${own}}`)).includes(1),
            {
              withinMs: PATIENCE_MS,
              everyMs: 250,
              describe: `the letter of ${namespace} is scraped`,
            },
          );
          const alert = `ALERTS{alertname="MillraceDeadLetters",millrace_namespace="${namespace}"}`;
          await eventually(async () => (await query(alert)).length === 1, {
            withinMs: PATIENCE_MS,
            everyMs: 250,
            describe: `dead letters of ${namespace} fire by themselves`,
          });
        }
        expect(await query("group by (exported_namespace) ({exported_namespace!=''})")).toEqual([]);
      },
    );

    test.skipIf(why !== "")(
      `of a loop that stands still, a clock that is off, and jobs that no node takes${why}`,
      async () => {
        const namespace = server.namespace();
        const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
        const folder = await mkdtemp(join(tmpdir(), "millrace-alerts-"));
        onTestFinished(() => rm(folder, { recursive: true, force: true }));
        const node = startChild(BIN, {
          args: ["run", CRUNCH, "--health-port", "0", "--json"],
          ...{ env, nodeOptions: clockAhead },
        });
        const { healthUrl } = JSON.parse(await node.line(/"healthUrl"/, PATIENCE_MS)) as {
          readonly healthUrl: string;
        };
        const ui = startMillrace(["ui", "--ui-port", "0", "--json"], {
          ...env,
          MILLRACE_UI_USERS: "prometheus:viewer:only-for-this-test",
        });
        const { url } = JSON.parse(await ui.line(/"url"/, PATIENCE_MS)) as { readonly url: string };
        const { query, firing } = await launchPrometheus(
          prometheus ?? "",
          [new URL(healthUrl).host],
          impatientRules(),
          [
            {
              job_name: "millrace-ui",
              basic_auth: { username: "prometheus", password: "only-for-this-test" },
              static_configs: [{ targets: [new URL(url).host] }],
            },
          ],
        );
        const becomes = (what: string, look: () => Promise<boolean>): Promise<unknown> =>
          eventually(look, { withinMs: PATIENCE_MS, everyMs: 250, describe: what });
        const fires = (alert: string): Promise<unknown> =>
          becomes(`${alert} fires`, async () => (await firing()).has(alert));

        await fires("MillraceClockOff");
        await becomes("the node takes jobs, says the dashboard", async () =>
          (await query('millrace_queue_nodes{queue="crunch"}')).includes(1),
        );
        const client = await connect({ servers: server.url, namespace, env: {} });
        onTestFinished(() => client.close());
        const enough = join(folder, "enough");
        await client.enqueue(crunch, enough);
        // A node whose loop stands still answers no scrape; the dashboard says that it is silent.
        await fires("MillraceNodeSilent");
        expect(await firing()).not.toContain("MillraceLoopStalled");
        await writeFile(enough, "");
        await fires("MillraceLoopStalled");
        await becomes(
          "the node takes jobs again",
          async () => !(await firing()).has("MillraceQueueWithoutNode"),
        );

        await node.kill();
        await client.enqueue(crunch, enough);
        await fires("MillraceQueueWithoutNode");
      },
    );
  },
  { singleServer: "what is tested is Prometheus" },
);
