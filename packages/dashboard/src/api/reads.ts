import { auditOutcomeText, MillraceError, type StoredDeadLetter } from "@millrace/core";
import { shownError, shownFilter, type ShowValue } from "@millrace/telemetry/masking";
import type { Reading } from "./reading.ts";
import type { Fleet, FleetJob, FleetSample, RecordedState } from "../fleet/fleet.ts";
import type { FleetAuditRecord } from "../fleet/fleet-audit.ts";
import type { LiveState } from "../fleet/live-states.ts";
import type { FleetSchedule } from "../fleet/fleet-schedules.ts";
import { PILING_MS } from "../fleet/piling-up.ts";
import { problemsOf } from "../fleet/problems.ts";
import { gateView, limitsView } from "./limits.ts";
import { MOST_CHANGES, MOST_GATES_OF_QUEUE } from "./most.ts";
import { termsOf } from "./search.ts";
import * as shown from "./show.ts";
import type { JobsView } from "./views/job-list-views.ts";
import type {
  AuditView,
  JobView,
  OldestView,
  OverviewView,
  QueueDetailView,
  RateView,
  ScheduleView,
} from "./views/views.ts";

export async function overview(
  { fleet, show, now }: Reading,
  rates: readonly RateView[],
  lately: () => Promise<readonly FleetSample[]>,
): Promise<OverviewView> {
  const [status, nodes, health, samples] = await Promise.all([
    fleet.queues.list(),
    fleet.nodes.list(),
    fleet.health(),
    // Without them all is told but what piles up.
    lately().catch(() => []),
  ]);
  const queues = status.map((queue) => shown.queueView(queue, nodes, show));
  const seen = {
    connected: health.ready,
    queues,
    nodes: nodes.map((n) => shown.nodeView(n, show)),
  };
  const at = now();
  const problems = problemsOf({ ...seen, samples, now: at });
  return { at, server: health.server, ...seen, problems, rates };
}

/** The samples in which it can be seen what piles up. */
export function samplesLately({ fleet, now }: Reading): Promise<readonly FleetSample[]> {
  return fleet.samples.list({ since: now() - PILING_MS });
}

export async function queueDetail(
  { fleet, show }: Reading,
  queue: string,
): Promise<QueueDetailView> {
  const [status, nodes, limits] = await Promise.all([
    fleet.queues.snapshot(queue),
    fleet.nodes.list(),
    fleet.queues.limits(queue),
  ]);
  // Whoever looks for what is held reads all locks.
  const gates =
    status.blocked === 0 ? [] : await fleet.locks.gates({ queue, limit: MOST_GATES_OF_QUEUE });
  const [own] = limits;
  return {
    queue: shown.queueView(status, nodes, show),
    ...(own === undefined ? {} : { limits: limitsView(own) }),
    gates: gates.map((gate) => gateView(gate, show)),
  };
}

/** The job that the age of a queue's oldest is about, which may have ended since. */
export async function oldestJob(
  { fleet }: Pick<Reading, "fleet">,
  queue: string,
): Promise<OldestView> {
  const oldest = await fleet.jobs.oldest(queue);
  return oldest === undefined ? {} : { job: { queue: oldest.queue, id: oldest.id } };
}

/** For one answer, which is asked for anew while the page is open. */
const MOST_LOOKED = 20_000;

/** Jobs that are in a state now. */
export async function liveJobs(
  { fleet, show }: Reading,
  state: LiveState,
  { queue, name, where, limit }: JobsQuestion,
): Promise<JobsView> {
  const { jobs, ...rest } = await fleet.jobs.search({
    ...{ state, limit, most: MOST_LOOKED, within: "2s" },
    ...(queue === undefined ? {} : { queue }),
    ...termsOf(name, where),
  });
  return { jobs: jobs.map((live) => shown.liveRow(live, show)), ...rest };
}

interface JobsQuestion {
  readonly queue?: string;
  readonly name?: string;
  readonly where?: string;
  readonly limit: number;
}

/** Of the history. */
export async function jobs(
  { fleet, show }: Reading,
  state: RecordedState | undefined,
  { queue, name, where, limit }: JobsQuestion,
): Promise<JobsView> {
  const query = {
    limit,
    ...(queue === undefined ? {} : { queue }),
    ...(where === undefined ? {} : { where }),
  };
  // The history is looked at without the state, so that it is known whether there may be more.
  const found = await fleet.jobs.list(query);
  const meant = found.filter(
    (record) =>
      (name === undefined || record.name.includes(name)) &&
      (state === undefined || record.state === state),
  );
  return {
    jobs: meant.map((record) => shown.recordRow(record, show)),
    // What a filter left out was looked at too, and nobody says how much that was.
    more: where !== undefined || found.length >= limit,
  };
}

export async function job(
  { fleet, show }: Pick<Reading, "fleet" | "show">,
  queue: string,
  id: string,
): Promise<JobView> {
  const { found, letter } = await storedJob(fleet, queue, id);
  return shown.jobView(found, letter, show);
}

/** A job, with its letter where it is dead. */
export async function storedJob(
  fleet: Fleet,
  queue: string,
  id: string,
): Promise<{ readonly found: FleetJob; readonly letter: StoredDeadLetter | undefined }> {
  const found = await fleet.jobs.get(id, { queue, payload: true });
  return { found, letter: await letterOf(fleet, found) };
}

async function letterOf(
  { dead }: Pick<Fleet, "dead">,
  { id, queue, state }: { readonly id: string; readonly queue: string; readonly state: string },
): Promise<StoredDeadLetter | undefined> {
  // One that expired has left a letter too.
  if (state !== "dead" && state !== "expired") return undefined;
  try {
    return await dead.show(id, { queue });
  } catch (error) {
    // Discarded, or retried between the two looks.
    if (MillraceError.is(error, "job-not-found")) return undefined;
    throw error;
  }
}

export async function schedules({ fleet, show }: Reading): Promise<readonly ScheduleView[]> {
  const stored = await fleet.cron.list();
  return Promise.all(stored.map((schedule) => scheduleView(fleet, schedule, show)));
}

async function scheduleView(
  { cron }: Pick<Fleet, "cron">,
  schedule: FleetSchedule,
  show: ShowValue,
): Promise<ScheduleView> {
  const { name, cron: expression, timezone, job, queue, origin, missed, overlap, state } = schedule;
  const { jitterMs, lateAfterMs, seen } = schedule;
  const { pausedAt, fired, skipped, late, trouble, recent } = state;
  return {
    ...{ name, cron: expression, timezone, job, queue, origin, overlap },
    ...{ jitterMs, lateAfterMs },
    ...(seen === undefined ? {} : { seen }),
    missed: typeof missed === "string" ? missed : `all:${missed.all}`,
    ...(pausedAt === undefined ? {} : { pausedAt }),
    next: pausedAt === undefined ? await cron.next(name, 3).catch(() => []) : [],
    ...{ fired, skipped, late },
    ...(trouble === undefined
      ? {}
      : { trouble: shownError({ type: trouble.code, message: trouble.message }, show).message }),
    recent: recent
      .toReversed()
      .slice(0, 5)
      .map(({ what, at, id, lateMs, reason, count }) => ({
        ...{ what, at },
        ...(id === undefined ? {} : { id }),
        ...(lateMs === undefined ? {} : { lateMs }),
        ...(reason === undefined ? {} : { reason }),
        ...(count === undefined ? {} : { count }),
      })),
  };
}

export async function audit({ fleet, show }: Reading): Promise<readonly AuditView[]> {
  return (await fleet.audit.list({ limit: MOST_CHANGES })).map((record) => auditView(record, show));
}

function auditView(
  { id, at, by, action, filter, outcome, reason }: FleetAuditRecord,
  show: ShowValue,
): AuditView {
  return {
    ...{ id, at, by, action },
    which: Object.entries(shownFilter(filter, show))
      .map(([name, value]) => `${name}=${Array.isArray(value) ? value.join(",") : String(value)}`)
      .join(" "),
    outcome: auditOutcomeText(outcome),
    ...(reason === undefined ? {} : { reason: String(show(reason)) }),
  };
}
