// Prometheus' own engine evaluates the alert rules over what nodes would report.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { stringify } from "yaml";
import { runCommand } from "../packaging/run-command.ts";
import { alerts } from "./expressions.ts";
import { CHART } from "./rendered.ts";

/** Values of a series, one a minute: `start+step x count`. */
type Series = Readonly<Record<string, string>>;

const MAIL = `{queue="mail"}`;
/** So much trouble that the alert has to fire an hour and a half later. */
const TROUBLE: Readonly<Record<string, Series>> = {
  MillraceOldestJobWaits: { [`millrace_queue_oldest_job_age_seconds${MAIL}`]: "700x100" },
  MillraceQueueGrows: { [`millrace_queue_depth${MAIL}`]: "200+60x100" },
  MillraceQueueFull: {
    [`millrace_queue_depth${MAIL}`]: "8x100",
    [`millrace_queue_inflight${MAIL}`]: "2x100",
    [`millrace_queue_max_jobs${MAIL}`]: "10x100",
  },
  MillraceDeadLetters: { 'millrace_jobs_dead_total{queue="mail",reason="fatal"}': "0+1x100" },
  MillraceDeadLetterFlood: { 'millrace_jobs_dead_total{queue="mail",reason="fatal"}': "0+20x100" },
  MillraceAttemptsFail: {
    [`millrace_jobs_failed_total${MAIL}`]: "0+10x100",
    [`millrace_jobs_succeeded_total${MAIL}`]: "0+1x100",
  },
  MillraceRedeliveries: { [`millrace_redeliveries_total${MAIL}`]: "0+2x100" },
  MillraceLeasesLost: { [`millrace_leases_lost_total${MAIL}`]: "0+1x100" },
  MillraceSettlementsStuck: { [`millrace_settlements_stuck${MAIL}`]: "1x100" },
  MillraceScheduleMissed: { 'millrace_schedule_missed_total{schedule="s"}': "0+1x100" },
  MillraceScheduleLate: {
    'millrace_schedule_lag_seconds_bucket{schedule="s",le="1"}': "0x100",
    'millrace_schedule_lag_seconds_bucket{schedule="s",le="60"}': "0+1x100",
    'millrace_schedule_lag_seconds_bucket{schedule="s",le="+Inf"}': "0+1x100",
  },
  MillraceNoLeader: { 'millrace_leader{role="scheduler",instance="a"}': "0x100" },
  // The whole fleet is dead: nothing is reported at all.
  MillraceNoNodeReady: {},
  MillraceNodesGone: {
    'millrace_node_ready{instance="a"}': "1x100",
    'millrace_node_ready{instance="b"}': "1x60",
    'millrace_node_ready{instance="c"}': "1x60",
  },
  MillraceNodesUnready: { 'millrace_node_ready{instance="a"}': "0x100" },
  MillraceSlotsUsedUp: {
    [`millrace_slots_used${MAIL}`]: "10x100",
    [`millrace_slots${MAIL}`]: "10x100",
    [`millrace_queue_depth${MAIL}`]: "200x100",
  },
  MillraceNatsSlow: { 'millrace_nats_rtt_seconds{instance="a"}': "1x100" },
  MillraceLoopStalled: {
    'millrace_loop_stalled_seconds_total{instance="a"}': "0x85 40x20",
    'millrace_loop_stalled_seconds_total{instance="b"}': "12x100",
  },
  // Behind is as wrong as ahead.
  MillraceClockOff: { 'millrace_clock_ahead_seconds{instance="a"}': "-300x100" },
  MillraceQueueWithoutNode: {
    [`millrace_queue_depth${MAIL}`]: "0x100",
    [`millrace_queue_inflight${MAIL}`]: "1x100",
    [`millrace_queue_nodes${MAIL}`]: "0x100",
    'millrace_queue_depth{queue="served"}': "3x100",
    'millrace_queue_inflight{queue="served"}': "0x100",
    'millrace_queue_nodes{queue="served"}': "1x100",
  },
  MillraceNodeSilent: { 'millrace_fleet_nodes{state="lost"}': "1x100" },
};

const FULL = TROUBLE["MillraceQueueFull"] as Series;
/** Nodes that were there and are no more, while others are there. */
const DEAD_FLEET: Series = { 'millrace_node_ready{instance="x"}': "1x60" };

/** What a Prometheus has of a namespace of Millrace. */
function within(namespace: string, series: Series): Series {
  return Object.fromEntries(
    Object.entries(series).map(([name, values]) => [
      name.replace("{", `{millrace_namespace="${namespace}",`),
      values,
    ]),
  );
}

/** A fleet on a quiet day. */
const CALM: Series = {
  'millrace_node_ready{instance="a"}': "1x100",
  'millrace_node_ready{instance="b"}': "1x100",
  'millrace_leader{role="scheduler",instance="a"}': "1x100",
  'millrace_leader{role="scheduler",instance="b"}': "0x100",
  [`millrace_queue_depth${MAIL}`]: "3x100",
  [`millrace_queue_inflight${MAIL}`]: "4x100",
  [`millrace_queue_max_jobs${MAIL}`]: "10x100",
  [`millrace_queue_oldest_job_age_seconds${MAIL}`]: "1x100",
  [`millrace_slots${MAIL}`]: "10x100",
  [`millrace_slots_used${MAIL}`]: "4x100",
  [`millrace_jobs_succeeded_total${MAIL}`]: "0+100x100",
  [`millrace_jobs_failed_total${MAIL}`]: "0+1x100",
  'millrace_jobs_dead_total{queue="mail",reason="fatal"}': "0x100",
  'millrace_nats_rtt_seconds{instance="a"}': "0.001x100",
  'millrace_clock_ahead_seconds{instance="a"}': "-0.4x100",
  [`millrace_queue_nodes${MAIL}`]: "2x100",
  'millrace_fleet_nodes{state="running"}': "2x100",
  'millrace_fleet_nodes{state="lost"}': "0x100",
  // Of another day.
  'millrace_loop_stalled_seconds_total{instance="a"}': "20x100",
};

const promtool = process.env["PROMTOOL"] ?? "promtool";
const found = await runCommand([promtool, "--version"], tmpdir()).catch(() => ({ code: 1 }));
const why =
  found.code === 0 ? "" : " (no promtool on the PATH; Debian: apt-get install prometheus)";

/** @throws with what promtool saw instead */
async function evaluated(series: Series, expr: string, samples: readonly object[]): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "millrace-promtool-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  const input = Object.entries(series).map(([one, values]) => ({ series: one, values }));
  const file = join(dir, "test.yaml");
  const check = { expr, eval_time: "95m", exp_samples: samples };
  const document = {
    rule_files: [join(CHART, "files/alerts.yaml")],
    evaluation_interval: "1m",
    tests: [{ interval: "1m", input_series: input, promql_expr_test: [check] }],
  };
  await writeFile(file, stringify(document));
  const { code, output } = await runCommand([promtool, "test", "rules", file], dir);
  expect(code, output).toBe(0);
}

test("each alert has a trouble that is to make it fire", () => {
  expect(Object.keys(TROUBLE)).toEqual(alerts.map(({ alert }) => alert));
});

describe.skipIf(why !== "")(`in Prometheus' engine${why}`, () => {
  test.each(Object.entries(TROUBLE))("%s fires", async (alert, series) => {
    const firing = `group by (alertname) (ALERTS{alertname="${alert}",alertstate="firing"})`;
    await evaluated(series, firing, [{ labels: `{alertname="${alert}"}`, value: 1 }]);
  });

  /** A series begins with what its counter counts first: `increase` alone sees no rise in it. */
  test.each([
    ["MillraceDeadLetters", 'millrace_jobs_dead_total{queue="mail",reason="fatal"}'],
    ["MillraceLeasesLost", `millrace_leases_lost_total${MAIL}`],
    ["MillraceScheduleMissed", 'millrace_schedule_missed_total{schedule="s"}'],
    ["MillraceLoopStalled", 'millrace_loop_stalled_seconds_total{instance="a"}'],
  ])("%s fires at the very first of them", async (alert, series) => {
    const firing = `group by (alertname) (ALERTS{alertname="${alert}",alertstate="firing"})`;
    const samples = [{ labels: `{alertname="${alert}"}`, value: 1 }];
    await evaluated({ [series]: "_x90 1x20" }, firing, samples);
  });

  test("nothing fires on a quiet day", () => evaluated(CALM, "ALERTS", []));

  /** Both have a queue `mail`: added up, trouble of the one would be lost in the other's calm. */
  test.each(Object.entries(TROUBLE))(
    "%s fires for the one of two namespaces that has it",
    (alert, series) => {
      const trouble = alert === "MillraceNoNodeReady" ? DEAD_FLEET : series;
      const labels = `{alertname="${alert}",millrace_namespace="shop"}`;
      return evaluated(
        { ...within("shop", trouble), ...within("blog", CALM) },
        `group by (alertname, millrace_namespace) (ALERTS{alertname="${alert}",alertstate="firing"})`,
        [{ labels, value: 1 }],
      );
    },
  );

  test("and for each of them where both have it", () =>
    evaluated(
      { ...within("shop", FULL), ...within("blog", FULL) },
      'group by (millrace_namespace, queue) (ALERTS{alertname="MillraceQueueFull"})',
      ["blog", "shop"].map((namespace) => ({
        labels: `{millrace_namespace="${namespace}",queue="mail"}`,
        value: 1,
      })),
    ));
});
