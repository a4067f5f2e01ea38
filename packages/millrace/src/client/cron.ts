import {
  type Broker,
  checkInput,
  type Clock,
  enqueueOne,
  type DocumentStore,
  isSchedule,
  MillraceError,
  NEW_STATE,
  nextTicks,
  optionNames,
  paused,
  readScheduleState,
  readStoredSchedule,
  refuseUnknown,
  requireScheduleName,
  resumed,
  runJob,
  type Schedule,
  SCHEDULE_STATE,
  scheduleDefinition,
  type ScheduleFields,
  type ScheduleState,
  SCHEDULES,
  SCHEDULES_SEEN,
  type StoredSchedule,
  upsert,
  withRun,
} from "@millrace/core";
import { type JobHandle, jobHandle } from "./jobs/job-handle.ts";
import { type ScheduleEvent, scheduleHistory } from "./schedule-history.ts";

/** A stored schedule and how far it is. Times: epoch milliseconds. */
export interface ScheduleStatus extends StoredSchedule {
  /** When it is due next; undefined while it is paused. */
  readonly next: number | undefined;
  readonly state: ScheduleState;
  /** The node with this schedule in its code that was started last, to the hour. */
  readonly seen: { readonly node: string; readonly at: number } | undefined;
}

const FIELD_NAMES = optionNames<ScheduleFields>({
  ...{ name: true, cron: true, timezone: true, jitter: true, missed: true, overlap: true },
  ...{ lateAfter: true, job: true, queue: true, payload: true },
});

/** The schedules of a namespace. */
export interface Cron {
  /** By name. One that can't be read is left out; nodes warn of it. */
  list(): Promise<readonly ScheduleStatus[]>;
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
  add(schedule: Schedule | ScheduleFields, options?: { readonly replace?: boolean }): Promise<void>;
  /**
   * Removes it with its state. A node that has it in its code stores it anew when it starts.
   * @throws MillraceError `schedule-not-found`
   */
  remove(name: string): Promise<void>;
  /**
   * No tick is enqueued until it is resumed, by whatever node. Jobs that are enqueued already run.
   * @throws MillraceError `schedule-not-found`
   */
  pause(name: string): Promise<void>;
  /**
   * From the next tick on; what was due meanwhile is not made up for.
   * @throws MillraceError `schedule-not-found`
   */
  resume(name: string): Promise<void>;
  /**
   * Enqueues its job now, beside its ticks, paused or not.
   * @throws MillraceError `schedule-not-found`, and what enqueueing throws
   */
  run(name: string): Promise<JobHandle>;
  /** Its next ticks from now, without jitter. @throws MillraceError `schedule-not-found` */
  next(name: string, count?: number): Promise<readonly number[]>;
  /**
   * What was decided last, and what became of the jobs, the newest first. Up to 20.
   * @throws MillraceError `schedule-not-found`
   */
  history(name: string, limit?: number): Promise<readonly ScheduleEvent[]>;
}

const ADD_NAMES = optionNames<NonNullable<Parameters<Cron["add"]>[1]>>({ replace: true });

/** `millrace.cron`, on any broker. */
export function cron(broker: Broker, clock: Clock, newId: () => string): Cron {
  const schedules = (): Promise<DocumentStore> => broker.documents(SCHEDULES);
  const states = (): Promise<DocumentStore> => broker.documents(SCHEDULE_STATE);

  async function find(name: string): Promise<StoredSchedule> {
    requireScheduleName(name);
    const document = await (await schedules()).get(name);
    if (document === undefined) throw notFound(name);
    return readStoredSchedule(name, document.value);
  }

  async function stateOf(name: string): Promise<ScheduleState> {
    return readScheduleState((await (await states()).get(name))?.value);
  }

  /**
   * From now on; but where a leader's clock was ahead, nothing is due before the time has come that
   * far.
   */
  function upcoming(
    schedule: StoredSchedule,
    { lastTick = 0 }: ScheduleState,
    count: number,
  ): readonly number[] {
    return nextTicks(schedule, Math.max(clock.now(), lastTick, schedule.since), count);
  }

  /** The leader writes the same document, so each change is tried until nobody came between. */
  async function change(
    name: string,
    next: (state: ScheduleState) => ScheduleState,
  ): Promise<void> {
    const store = await states();
    for (;;) {
      const document = await store.get(name);
      const state = readScheduleState(document?.value);
      const changed = next(state);
      if (changed === state) return;
      try {
        await store.put(name, changed, document?.revision ?? 0);
        return;
      } catch (error) {
        if (!MillraceError.is(error, "revision-conflict")) throw error;
      }
    }
  }

  return {
    async list() {
      const [stored, progress, seen] = await Promise.all([
        (await schedules()).list(),
        (await states()).list(),
        (await broker.documents(SCHEDULES_SEEN)).list(),
      ]);
      const stateBy = new Map(progress.map(({ key, value }) => [key, readScheduleState(value)]));
      const seenBy = new Map(seen.map(({ key, value }) => [key, value as ScheduleStatus["seen"]]));
      return stored
        .flatMap(({ key, value }) => readable(key, value))
        .sort((one, other) => (one.name < other.name ? -1 : 1))
        .map((schedule) => {
          const state = stateBy.get(schedule.name) ?? NEW_STATE;
          const next = state.pausedAt === undefined ? upcoming(schedule, state, 1)[0] : undefined;
          return { ...schedule, next, state, seen: seenBy.get(schedule.name) };
        });
    },

    async add(given, options = {}) {
      refuseUnknown(options, ADD_NAMES, "cron.add()");
      const { replace = false } = options;
      if (isSchedule(given)) await checkInput(given);
      else refuseUnknown(given, FIELD_NAMES, "a schedule", undefined, "invalid-schedule");
      const definition = isSchedule(given) ? given.definition : scheduleDefinition(given);
      const { name } = definition;
      const store = await schedules();
      for (;;) {
        const document = await store.get(name);
        const stored = document && readStoredSchedule(name, document.value);
        const next = upsert(definition, stored?.origin ?? "client", stored, clock.now());
        if (next === undefined) return;
        if (stored?.origin === "code" || (stored !== undefined && !replace))
          throw new MillraceError("schedule-exists", existsMessage(stored));
        try {
          await store.put(name, next, document?.revision ?? 0);
          return;
        } catch (error) {
          if (!MillraceError.is(error, "revision-conflict")) throw error;
        }
      }
    },

    async remove(name) {
      requireScheduleName(name);
      if ((await (await schedules()).get(name)) === undefined) throw notFound(name);
      // First what makes it run: a leader that is just about to write a state then finds no
      // schedule to write it for.
      await (await schedules()).remove(name);
      await (await states()).remove(name);
      await (await broker.documents(SCHEDULES_SEEN)).remove(name);
    },

    async pause(name) {
      await find(name);
      await change(name, (state) => paused(state, clock.now()));
    },

    async resume(name) {
      await find(name);
      await change(name, (state) => resumed(state, clock.now()));
    },

    async run(name) {
      const job = runJob(await find(name), newId(), clock.now());
      const result = await enqueueOne(broker, job);
      await change(name, (state) => withRun(state, job.id, clock.now()));
      return jobHandle(broker, clock, result);
    },

    async next(name, count = 5) {
      const schedule = await find(name);
      return upcoming(schedule, await stateOf(name), count);
    },

    async history(name, limit = 20) {
      await find(name);
      return scheduleHistory(broker.history, (await stateOf(name)).recent, limit);
    },
  };
}

function readable(name: string, value: unknown): readonly StoredSchedule[] {
  try {
    return [readStoredSchedule(name, value)];
  } catch (error) {
    if (MillraceError.is(error)) return [];
    throw error;
  }
}

function notFound(name: string): MillraceError {
  return new MillraceError(
    "schedule-not-found",
    `No schedule is called ${name}. List them with millrace cron list.`,
  );
}

function existsMessage({ name, origin }: StoredSchedule): string {
  return origin === "code"
    ? `The schedule ${name} comes from a node's code and says something else. Change it there, or choose another name.`
    : `A schedule called ${name} is stored and says something else. Add it with replace, or choose another name.`;
}
