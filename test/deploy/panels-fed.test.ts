// Real nodes do real work and come to grief, and a dashboard looks at them: what their pages say
// feeds each panel of Grafana's dashboard and each alert.
import { join } from "node:path";
import { connect, defineJob } from "millrace";
import { expect, onTestFinished, test, vi } from "vitest";
import { startMillrace } from "../cli/millrace.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { type Exposition, readExposition, type Sample } from "../metrics/exposition.ts";
import { alerts, dashboard, withoutVariables } from "./expressions.ts";
import { unfed } from "./fed.ts";
import { launchPrometheus } from "./live-prometheus.ts";
import { findProgram } from "./program.ts";

vi.setConfig({ testTimeout: 400_000 });

const PATIENCE_MS = 90_000;
const JOBS = join(import.meta.dirname, "busy-program.ts");
/**
 * A frozen node keeps its job and its duties for half of that at least: its loop stood still for so
 * long that it counts.
 */
const LEASE = "15s";
const prometheus = findProgram("prometheus", "PROMETHEUS");

/** Told once settlements were stuck, which runtime's stuck.test.ts has happen. */
const ELSEWHERE = ["millrace_settlements_stuck"];
/** What the nodes count of the jobs that are enqueued. */
const ENDS = [
  ["millrace_jobs_succeeded_total", "fine"],
  ["millrace_jobs_succeeded_total", "flaky"],
  ["millrace_jobs_succeeded_total", "single"],
  ["millrace_jobs_dead_total", "dies"],
] as const;
/** What is asked, by whom. The variables of the dashboard ask too. */
const asked: readonly (readonly [string, string])[] = [
  ...dashboard.panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => [title, withoutVariables(expr)] as const),
  ),
  ...dashboard.templating.list.flatMap(({ name, definition = "" }) => {
    const [, metric, label] = /^label_values\((\w+(?:\{.*\})?), (\w+)\)$/.exec(definition) ?? [];
    return metric === undefined
      ? []
      : [[`$${name}`, withoutVariables(`group by (${label}) (${metric})`)] as const];
  }),
];

const missing = (samples: readonly Sample[]): readonly string[] =>
  [...asked, ...alerts.map(({ alert, expr }) => [alert, expr] as const)].flatMap(([who, expr]) =>
    unfed(expr, samples)
      .filter((what) => !ELSEWHERE.includes(what))
      .map((what) => `${who}: ${what}`),
  );

test("a panel that asks for what nobody tells is found", () => {
  const samples = [
    { name: "millrace_queue_depth", labels: { queue: "mail" }, value: 1 },
    { name: "millrace_leader", labels: { role: "scheduler" }, value: 1 },
  ];
  expect(unfed('max by (queue) (millrace_queue_depth{queue=~"$queue"})', samples)).toEqual([]);
  expect(unfed("sum by (instance) (millrace_queue_depth)", samples)).toEqual([]);
  expect(unfed("sum(millrace_queue_deep)", samples)).toEqual(["millrace_queue_deep"]);
  expect(unfed("sum by (job) (millrace_queue_depth)", samples)).toEqual([
    "millrace_queue_depth{job}",
  ]);
  expect(unfed('sum(millrace_leader{role="chief"})', samples)).toEqual([
    'millrace_leader{role="chief"}',
  ]);
  expect(missing(samples).length).toBeGreaterThan(30);
});

describeServer(
  "what panels and alerts are made of",
  "newest",
  (server) => {
    test("is told by real nodes and a dashboard, and gives data in Prometheus", async () => {
      const namespace = server.namespace();
      const env = {
        ...{ MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace, MILLRACE_LEASE: LEASE },
      };
      const client = await connect({ servers: server.url, namespace, env: {} });
      onTestFinished(() => client.close());
      await client.queues.ensure("work", { maxJobs: 1_000 });
      const start = async (name: string, holds: string) => {
        const child = startMillrace(["run", JOBS, "--name", name, "--health-port", "0", "--json"], {
          ...env,
          HOLDS: holds,
        });
        const ready = JSON.parse(await child.line(/"healthUrl"/, PATIENCE_MS)) as {
          readonly healthUrl: string;
        };
        return { child, page: `${ready.healthUrl}/metrics` };
      };
      const first = await start("first", "1");
      await becomes("the first node leads the schedules", async () => {
        const page = await read(first.page);
        return page.value("millrace_leader", { role: "scheduler" }) === 1;
      });
      await client.enqueue(defineJob({ name: "held", queue: "work" }), null);
      await first.child.line(/^held runs/, PATIENCE_MS);
      const second = await start("second", "0");
      const ui = startMillrace(["ui", "--ui-port", "0", "--json"], env);
      const { url } = JSON.parse(await ui.line(/"url"/, PATIENCE_MS)) as { readonly url: string };
      const pages = [first.page, second.page, `${url}metrics`];
      const live =
        prometheus === undefined
          ? undefined
          : await launchPrometheus(
              prometheus,
              pages.map((page) => new URL(page).host),
              { groups: [] },
            );

      for (const name of ["fine", "flaky", "dies", "single"])
        await client.enqueue(defineJob({ name, queue: "work" }), null);
      await client.enqueue(defineJob({ name: "fine", queue: "work" }), null, { delay: "1h" });
      // One that is frozen between the record of an end and its count counts nothing of it later.
      await becomes("each has ended, and was counted", async () => {
        const told = await Promise.all(pages.slice(0, 2).map(read));
        return ENDS.every(([metric, job_name]) =>
          told.some((page) => (page.value(metric, { job_name }) ?? 0) > 0),
        );
      });
      await first.child.freeze();
      await becomes("the second node has the job and the schedules", async () => {
        const page = await read(second.page);
        return (
          (page.value("millrace_redeliveries_total") ?? 0) > 0 &&
          (page.value("millrace_schedule_missed_total") ?? 0) > 0
        );
      });
      first.child.signal("SIGCONT");
      // What a node enqueues, and how its own jobs end, is told by it; each page alone has a part.
      let lacking: readonly string[] = [];
      await eventually(
        async () => {
          const told = await Promise.all(pages.map(read));
          lacking = missing(told.flatMap(({ samples }) => samples));
          return lacking.length === 0;
        },
        {
          withinMs: PATIENCE_MS,
          everyMs: 500,
          describe: () =>
            `everything that is asked for is told; what lacks:\n${lacking.join("\n")}`,
        },
      );
      if (live === undefined) return;
      await eventually(
        async () => {
          const empty: string[] = [];
          for (const [who, expr] of asked)
            if ((await live.query(expr)).length === 0) empty.push(`${who}: ${expr}`);
          lacking = empty;
          return empty.length === 0;
        },
        {
          withinMs: PATIENCE_MS,
          everyMs: 1_000,
          describe: () => `each panel has data in Prometheus; without:\n${lacking.join("\n")}`,
        },
      );
    });
  },
  { singleServer: "what is tested are pages of metrics" },
);

async function read(page: string): Promise<Exposition> {
  const response = await fetch(page, { headers: { connection: "close" } });
  return readExposition(await response.text());
}

function becomes(what: string, look: () => Promise<boolean>): Promise<unknown> {
  return eventually(look, { withinMs: PATIENCE_MS, everyMs: 250, describe: what });
}
