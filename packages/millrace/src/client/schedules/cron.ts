import {
  type Broker,
  checkInput,
  type Clock,
  enqueueOne,
  isSchedule,
  MillraceError,
  optionNames,
  paused,
  refuseUnknown,
  requireCount,
  requireLimit,
  requireScheduleName,
  resumed,
  runJob,
  type Schedule,
  scheduleDefinition,
  type ScheduleFields,
  type StoredSchedule,
  upsert,
  withRun,
} from "@millrace/core";
import { type JobHandle, jobHandle } from "../jobs/job-handle.ts";
import { ScheduleDocuments, scheduleNotFound, type ScheduleStatus } from "./schedule-documents.ts";
import { type ScheduleEvent, scheduleHistory } from "./schedule-history.ts";
import { alone, among, type CallLimits, LIMITS, type LimitsPlaces } from "../call-limits.ts";

const FIELD_NAMES = optionNames<ScheduleFields>({
  ...{ name: true, cron: true, timezone: true, jitter: true, missed: true, overlap: true },
  ...{ lateAfter: true, job: true, queue: true, payload: true },
});

/** When a schedule is due, how it behaves and what its job is given. What is left out stays. */
export type ScheduleChange = Partial<Omit<ScheduleFields, "name" | "job" | "queue">>;

const CHANGE_NAMES = optionNames<ScheduleChange>({
  ...{ cron: true, timezone: true, jitter: true, missed: true, overlap: true },
  ...{ lateAfter: true, payload: true },
});

/** The schedules of a namespace. */
export interface Cron {
  /** By name. A schedule that can't be read is left out; nodes warn of it. */
  list(limits?: CallLimits): Promise<readonly ScheduleStatus[]>;
  /**
   * Stores a schedule, for nodes to carry out. The same again changes nothing. A schedule of a
   * node's code needs no adding.
   *
   * @throws MillraceError `schedule-exists` where one of this name says something else and
   *   `replace` is not set, or comes from a node's code; `invalid-schedule` and its kin,
   *   `invalid-payload`
   * @example
   * const job = { job: "report", queue: "reports", payload: { day: "yesterday" } };
   * await millrace.cron.add({ name: "nightly", cron: "0 3 * * *", ...job });
   */
  add(
    schedule: Schedule | ScheduleFields,
    options?: { readonly replace?: boolean } & CallLimits,
  ): Promise<void>;
  /**
   * Changes what is given of a schedule that a client added. What it did so far stays; where its
   * times change, nothing that was due before is made up for.
   *
   * @throws MillraceError `schedule-not-found`; `schedule-exists` of one that comes from a node's
   *   code, which wins, as nodes store it when they start; `invalid-schedule` and its kin
   * @example
   * await millrace.cron.change("nightly", { cron: "0 4 * * *", timezone: "Europe/Berlin" });
   */
  change(name: string, change: ScheduleChange, limits?: CallLimits): Promise<void>;
  /**
   * Removes it with its state. A node that has it in its code stores it anew when it starts.
   * @throws MillraceError `schedule-not-found`
   */
  remove(name: string, limits?: CallLimits): Promise<void>;
  /**
   * No tick is enqueued until it is resumed, by whatever node. Jobs that are enqueued already run.
   * @throws MillraceError `schedule-not-found`
   */
  pause(name: string, limits?: CallLimits): Promise<void>;
  /**
   * From the next tick on; what was due meanwhile is not made up for.
   * @throws MillraceError `schedule-not-found`
   */
  resume(name: string, limits?: CallLimits): Promise<void>;
  /**
   * Enqueues its job now, beside its ticks, paused or not.
   * @throws MillraceError `schedule-not-found`, and what enqueueing throws
   */
  run(name: string, limits?: CallLimits): Promise<JobHandle>;
  /** Its next ticks from now, without jitter. @throws MillraceError `schedule-not-found` */
  next(name: string, count?: number, limits?: CallLimits): Promise<readonly number[]>;
  /**
   * What was decided last, and what became of the jobs, the newest first. Up to `limit` (20);
   * `Infinity`: all that is kept.
   * @throws MillraceError `schedule-not-found`
   */
  history(name: string, limit?: number, limits?: CallLimits): Promise<readonly ScheduleEvent[]>;
}

/** They are found one by one, while nothing else of the process runs. */
const MOST_TICKS = 100_000;

const ADD_NAMES = optionNames<NonNullable<Parameters<Cron["add"]>[1]>>({
  ...{ replace: true, ...LIMITS },
});
/** Of `run`, which enqueues, the client sees to them. */
export const CRON_LIMITS: LimitsPlaces<Cron> = {
  ...{ list: alone(0), add: among(1), remove: alone(1), pause: alone(1), resume: alone(1) },
  ...{ change: alone(2), run: alone(1), next: alone(2), history: alone(2) },
};

/** `millrace.cron`, on any broker. */
export function cron(broker: Broker, clock: Clock, newId: () => string): Cron {
  const documents = new ScheduleDocuments(broker);
  return {
    list: () => documents.list(),
    add: async (given, options = {}) => {
      refuseUnknown(options, ADD_NAMES, "cron.add()");
      const definition = await definitionOf(given);
      const now = await documents.now();
      await documents.write(definition.name, (stored) => {
        const next = upsert(definition, stored?.origin ?? "client", stored, now);
        if (next === undefined) return undefined;
        if (stored?.origin === "code" || (stored !== undefined && options.replace !== true))
          throw new MillraceError("schedule-exists", existsMessage(stored));
        return next;
      });
    },
    change: async (name, change) => {
      refuseUnknown(change, CHANGE_NAMES, "a change of a schedule", undefined, "invalid-schedule");
      await documents.find(name);
      const now = await documents.now();
      await documents.write(name, (stored) => {
        // Removed meanwhile.
        if (stored === undefined) throw scheduleNotFound(name);
        if (stored.origin === "code")
          throw new MillraceError("schedule-exists", existsMessage(stored));
        return upsert(changed(stored, change), "client", stored, now);
      });
    },
    remove: async (name) => {
      if (!(await documents.remove(requireScheduleName(name)))) throw scheduleNotFound(name);
    },
    pause: async (name) => {
      await documents.find(name);
      const now = await documents.now();
      await documents.change(name, (state) => paused(state, now));
    },
    resume: async (name) => {
      await documents.find(name);
      const now = await documents.now();
      await documents.change(name, (state) => resumed(state, now));
    },
    run: async (name) => {
      const schedule = await documents.find(name);
      const now = await documents.now();
      const job = runJob(schedule, newId(), now);
      const result = await enqueueOne(broker, job);
      await documents.change(name, (state) => withRun(state, job.id, now));
      return jobHandle(broker, clock, result);
    },
    next: async (name, count = 5) => {
      requireCount(count, "count", 0, MOST_TICKS);
      const schedule = await documents.find(name);
      const [state, now] = await Promise.all([documents.stateOf(name), documents.nowToLook()]);
      return documents.upcoming(schedule, state, now, count);
    },
    history: async (name, limit = 20) => {
      requireLimit(limit, 0);
      await documents.find(name);
      return scheduleHistory(broker.history, (await documents.stateOf(name)).recent, limit);
    },
  };
}

async function definitionOf(given: Schedule | ScheduleFields): Promise<Schedule["definition"]> {
  if (isSchedule(given)) {
    await checkInput(given);
    return given.definition;
  }
  refuseUnknown(given, FIELD_NAMES, "a schedule", undefined, "invalid-schedule");
  return scheduleDefinition(given);
}

function changed(
  { jitterMs, lateAfterMs, origin: _origin, since: _since, ...stored }: StoredSchedule,
  change: ScheduleChange,
): Schedule["definition"] {
  // What is undefined was left out.
  const given = Object.entries(change).filter(([, value]) => value !== undefined);
  return scheduleDefinition({
    ...{ ...stored, jitter: jitterMs, lateAfter: lateAfterMs },
    ...(Object.fromEntries(given) as ScheduleChange),
  });
}

function existsMessage({ name, origin }: StoredSchedule): string {
  return origin === "code"
    ? `The schedule ${name} comes from a node's code and says something else. Change it there, or choose another name.`
    : `A schedule called ${name} is stored and says something else. Add it with replace, or choose another name.`;
}
