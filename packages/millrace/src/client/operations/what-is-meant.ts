import {
  type Broker,
  defined,
  MillraceError,
  optionNames,
  refuseUndefined,
  refuseUnknown,
  requirePlace,
  startTime,
  traceIdOf,
  mustBe,
} from "@millrace/core";
import type { Mask } from "@millrace/telemetry/masking";
import type { AuditValue } from "../audit.ts";
import type { CallLimits } from "../call-limits.ts";
import type { LetterTest } from "../dead/dead-filter.ts";
import { type DeadLetterFilter, letterTest, matching } from "../dead/dead-matching.ts";
import { seenJob } from "../jobs/find-live.ts";
import { EVERY_LIVE_JOB, parseLiveJobFilter, type SeenJob } from "../jobs/job-filter.ts";
import { jobKey } from "../jobs/job-key.ts";
import { LIVE_STATES, type LiveJob, type LiveState } from "../jobs/live-jobs.ts";
import { lookThrough } from "../jobs/searching/look-through.ts";
import type { RescheduleOptions } from "../jobs/reschedule-job.ts";
import { snapshotsOf } from "../queues/snapshots.ts";
import type { PlanItem } from "./operation-plan.ts";

/** Which jobs that have not ended are meant. Everything that is given must hold. */
export interface LiveJobFilter {
  readonly state?: LiveState;
  readonly queue?: string;
  /** One job, of the queue that is named. */
  readonly id?: string;
  /** The job's name, exactly. */
  readonly name?: string;
  /** What has to hold: `payload.customer:42 attempts>3 age>1h`. See `docs/filters.md`. */
  readonly where?: string;
}

/** Which delayed jobs are meant: no others can have another time. */
export type DelayedJobFilter = Omit<LiveJobFilter, "state" | "id">;

/** A change of many things that is asked for. */
export type OperationTarget =
  | { readonly kind: "dead-retry" | "dead-discard"; readonly filter: DeadLetterFilter }
  | { readonly kind: "jobs-cancel"; readonly filter: LiveJobFilter }
  | ({
      readonly kind: "jobs-reschedule";
      readonly filter: DelayedJobFilter;
    } & RescheduleOptions);

/** Letters or jobs; more at once are two operations. */
export const MOST_ITEMS = 100_000;

/** With a mistyped one, every job would be meant. */
const LIVE_NAMES = optionNames<LiveJobFilter>({
  ...{ state: true, queue: true, id: true, name: true, where: true },
});
const DELAYED_NAMES = optionNames<DelayedJobFilter>({ queue: true, name: true, where: true });

/** The things that an operation would change. */
export interface Meant {
  readonly items: readonly PlanItem[];
  /**
   * So many nodes did not answer, where any did not: of what they have in hand some may be missing,
   * or be taken for waiting.
   */
  readonly unanswered?: number;
}

/**
 * The things that are meant now, the oldest first. What fits all the time while they are looked for
 * is among them, wherever it moves. What comes to fit meanwhile may be among them or not.
 *
 * @throws MillraceError `invalid-option` where there are more than 100,000, or the filter can't be
 *   read; `queue-not-found`
 */
export async function whatIsMeant(
  broker: Broker,
  target: OperationTarget & Pick<CallLimits, "signal">,
  now: number,
  mask: Mask,
): Promise<Meant> {
  const meant = await meantItems(broker, target, { now, mask, signal: target.signal });
  // Who left meanwhile wants none of it.
  target.signal?.throwIfAborted();
  return meant;
}

async function meantItems(
  broker: Broker,
  target: OperationTarget,
  { now, mask, signal }: MeantWhen,
): Promise<Meant> {
  refuseUndefined(target.filter, "an operation");
  switch (target.kind) {
    case "jobs-cancel": {
      const { filter } = target;
      const cancelled = { filter, now, mask, signal };
      return liveItems(broker, cancelled, ({ createdAt }) => defined({ mark: createdAt }));
    }
    case "jobs-reschedule": {
      const { filter } = target;
      refuseUnknown(filter, DELAYED_NAMES, "a filter of delayed jobs");
      const to = startTime(target, now);
      const delayed = { filter: { ...filter, state: "delayed" }, now, mask, signal } as const;
      return liveItems(broker, delayed, ({ notBefore }) => defined({ mark: notBefore, to }));
    }
    case "dead-retry":
    case "dead-discard":
      return letterItems(broker, target.filter, letterTest(target.filter, now, mask), signal);
    default: {
      const { kind } = target as { readonly kind: unknown };
      throw new MillraceError(
        "invalid-option",
        `kind: one of ${TARGET_KINDS.join(", ")}; got ${String(kind)}.`,
      );
    }
  }
}

const TARGET_KINDS: readonly OperationTarget["kind"][] = [
  ...(["jobs-cancel", "jobs-reschedule", "dead-retry", "dead-discard"] as const),
];

async function letterItems(
  broker: Broker,
  filter: DeadLetterFilter,
  fits: LetterTest,
  signal: AbortSignal | undefined,
): Promise<Meant> {
  const items: PlanItem[] = [];
  const letters = matching(broker, filter, fits, { left: signal, once: true });
  for await (const { id, queue, sequence, headers } of letters) {
    const item = { id, queue, mark: sequence, ...defined({ traceId: traceIdOf(headers) }) };
    if (items.push(item) > MOST_ITEMS) throw tooMany("dead letters");
  }
  return { items };
}

/** Between two places a job can be missed in both. */
const LOOKS = 3;

interface MeantWhen {
  readonly now: number;
  readonly mask: Mask;
  /** Nobody waits for the answer any more. */
  readonly signal: AbortSignal | undefined;
}

interface MeantJobs extends MeantWhen {
  readonly filter: LiveJobFilter;
}

/** Looks through all that wait or run, however many these are. */
async function liveItems(
  broker: Broker,
  { filter, now, mask, signal }: MeantJobs,
  rest: (job: LiveJob) => Pick<PlanItem, "mark" | "to">,
): Promise<Meant> {
  refuseUnknown(filter, LIVE_NAMES, "a filter of jobs");
  const { state, queue, id, name, where } = requirePlace(filter);
  if (state !== undefined && !LIVE_STATES.includes(state))
    throw mustBe("state", `one of ${LIVE_STATES.join(", ")}`, state);
  if (name !== undefined && typeof name !== "string") throw mustBe("name", "a text", name);
  const { asksCargo, allows, mayFit, ...test } =
    where === undefined ? EVERY_LIVE_JOB : parseLiveJobFilter(where, now, mask);
  const scan = { asksCargo, asksCreation: true, mayFit, ...(queue === undefined ? {} : { queue }) };
  if (id !== undefined && queue === undefined)
    throw new MillraceError("invalid-option", "queue: needed with an id, which another may have.");
  const items = new Map<string, PlanItem>();
  const fits = (seen: SeenJob): boolean =>
    (name === undefined || seen.job.name === name) && test.fits(seen);
  const consider = (job: LiveJob): void => {
    // Several jobs may have the id. One that moves on meanwhile is met twice.
    const { id: of, queue: where, createdAt, traceId } = job;
    items.set(jobKey(job), {
      ...{ id: of, queue: where, ...rest(job) },
      ...(createdAt === undefined ? { isUnread: true } : { createdAt }),
      ...defined({ traceId }),
    });
    if (items.size > MOST_ITEMS) throw tooMany("jobs");
  };
  if (id !== undefined) {
    let one: SeenJob | undefined;
    for (let look = 0; one === undefined && look < LOOKS; look += 1)
      one = await seenJob(broker, { id, queue });
    if (one === undefined || (state ?? one.job.state) !== one.job.state) return { items: [] };
    if (fits(one)) consider(one.job);
    return { items: [...items.values()] };
  }
  // Only who reads a queue is told that it is not there.
  if (queue !== undefined && !allows("queued")) await snapshotsOf(broker, queue);
  const states = (state === undefined ? LIVE_STATES : [state]).filter(allows);
  const unanswered = await lookThrough(broker, { ...scan, fits, states, signal }, consider);
  return { items: [...items.values()], ...(unanswered === 0 ? {} : { unanswered }) };
}

function tooMany(what: string): MillraceError {
  return new MillraceError(
    "invalid-option",
    `filter: more than ${MOST_ITEMS} ${what} fit. Name a queue, a reason or a name, and do the rest in another operation.`,
  );
}

/**
 * Which things are meant, for the audit.
 *
 * @throws MillraceError `invalid-option` where no other time is given
 */
export function targetWords(
  target: OperationTarget,
  now: number,
): Readonly<Record<string, AuditValue>> {
  if (target.kind !== "jobs-reschedule") return filterWords(target.filter);
  if (target.delay === undefined && target.at === undefined)
    throw new MillraceError("invalid-option", "delay, at: give one of them.");
  const to = startTime(target, now);
  return {
    ...filterWords(target.filter),
    to: to === undefined ? "now" : new Date(to).toISOString(),
  };
}

/** Null stands for letters that have none. */
function filterWords(
  filter: DeadLetterFilter | LiveJobFilter,
): Readonly<Record<string, AuditValue>> {
  const given = Object.entries(filter).filter(([, value]) => value !== undefined);
  if (given.length === 0) return { all: true };
  return Object.fromEntries(
    given.map(([key, value]) => [key, (value as string | null) ?? "(none)"]),
  );
}
