import {
  type Broker,
  type DocumentOptions,
  type DocumentStore,
  findToReplace,
  MillraceError,
  NEW_STATE,
  nextTicks,
  readScheduleState,
  readStoredSchedule,
  removeLeftState,
  requireScheduleName,
  SCHEDULE_STATE,
  type ScheduleState,
  SCHEDULES,
  SCHEDULES_SEEN,
  type StoredSchedule,
} from "@millrace/core";

/** A stored schedule and how far it is. Times: epoch milliseconds. */
export interface ScheduleStatus extends StoredSchedule {
  /** When it is due next; undefined while it is paused. */
  readonly next: number | undefined;
  readonly state: ScheduleState;
  /** The node with this schedule in its code that was started last, to the hour. */
  readonly seen: { readonly node: string; readonly at: number } | undefined;
}

const LOOK: DocumentOptions = { look: true };

/** The documents of a namespace's schedules: what they are, how far they are, who has seen them. */
export class ScheduleDocuments {
  readonly #broker: Broker;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** @throws MillraceError `schedule-not-found`, `invalid-name` */
  async find(name: string): Promise<StoredSchedule> {
    requireScheduleName(name);
    const document = await (await this.#schedules(LOOK)).get(name);
    if (document === undefined) throw scheduleNotFound(name);
    return readStoredSchedule(name, document.value);
  }

  /**
   * The server's time. Leaders decide by what is stored, and their clocks follow the server's: a
   * client's would stop or repeat ticks where it is wrong.
   */
  async now(): Promise<number> {
    return (await this.#states()).now();
  }

  /** The same for whoever only looks. */
  async nowToLook(): Promise<number> {
    return (await this.#states(LOOK)).now();
  }

  async stateOf(name: string): Promise<ScheduleState> {
    return readScheduleState((await (await this.#states(LOOK)).get(name))?.value);
  }

  /** By name. What can't be read is left out. */
  async list(): Promise<readonly ScheduleStatus[]> {
    const [schedules, states, sightings] = await Promise.all([
      this.#schedules(LOOK),
      this.#states(LOOK),
      this.#seen(LOOK),
    ]);
    const [now, stored, progress, seen] = await Promise.all([
      states.now(),
      schedules.list(),
      states.list(),
      sightings.list(),
    ]);
    const stateBy = new Map(progress.map(({ key, value }) => [key, readScheduleState(value)]));
    const seenBy = new Map(seen.map(({ key, value }) => [key, value as ScheduleStatus["seen"]]));
    return stored
      .flatMap(({ key, value }) => readable(key, value))
      .sort((one, other) => (one.name < other.name ? -1 : 1))
      .map((schedule) => {
        const state = stateBy.get(schedule.name) ?? NEW_STATE;
        const [next] = state.pausedAt === undefined ? this.upcoming(schedule, state, now, 1) : [];
        return { ...schedule, next, state, seen: seenBy.get(schedule.name) };
      });
  }

  /**
   * From now on; but where a leader's clock was ahead, nothing is due before the time has come that
   * far.
   */
  upcoming(
    schedule: StoredSchedule,
    { lastTick = 0 }: ScheduleState,
    now: number,
    count: number,
  ): readonly number[] {
    return nextTicks(schedule, Math.max(now, lastTick, schedule.since), count);
  }

  /** @param next what is to be stored; undefined: nothing. Asked until nobody came between */
  async write(name: string, next: (stored: StoredSchedule | undefined) => unknown): Promise<void> {
    const [schedules, states] = [await this.#schedules(), await this.#states()];
    await replaceDocument(
      schedules,
      name,
      (value) => next(value === undefined ? undefined : readStoredSchedule(name, value)),
      () => removeLeftState(schedules, states, name),
    );
  }

  /** The leader writes the same document, so each change is tried until nobody came between. */
  async change(name: string, next: (state: ScheduleState) => ScheduleState): Promise<void> {
    await replaceDocument(await this.#states(), name, (value) => {
      const state = readScheduleState(value);
      const changed = next(state);
      return changed === state ? undefined : changed;
    });
  }

  /** @returns whether there was anything of it: one that ended in the middle is repeated */
  async remove(name: string): Promise<boolean> {
    // First what makes it run: a leader that is just about to write a state then finds no schedule
    // to write it for.
    const stores = [await this.#schedules(), await this.#states(), await this.#seen()];
    let wasThere = false;
    for (const store of stores) {
      if ((await store.find(name)) === undefined) continue;
      wasThere = true;
      await store.remove(name);
    }
    return wasThere;
  }

  #schedules(options?: DocumentOptions): Promise<DocumentStore> {
    return this.#broker.documents(SCHEDULES, options);
  }

  #states(options?: DocumentOptions): Promise<DocumentStore> {
    return this.#broker.documents(SCHEDULE_STATE, options);
  }

  #seen(options?: DocumentOptions): Promise<DocumentStore> {
    return this.#broker.documents(SCHEDULES_SEEN, options);
  }
}

export function scheduleNotFound(name: string): MillraceError {
  return new MillraceError(
    "schedule-not-found",
    `No schedule is called ${name}. List them with millrace cron list.`,
  );
}

/** @param beforeFirst before one is put where there is none */
async function replaceDocument(
  store: DocumentStore,
  key: string,
  next: (value: unknown) => unknown,
  beforeFirst?: () => Promise<void>,
): Promise<void> {
  for (;;) {
    const document = await findToReplace(store, key);
    const changed = next(document?.value);
    if (changed === undefined) return;
    if (document === undefined) await beforeFirst?.();
    try {
      await store.put(key, changed, document?.revision ?? 0);
      return;
    } catch (error) {
      if (!MillraceError.is(error, "revision-conflict")) throw error;
    }
  }
}

function readable(name: string, value: unknown): readonly StoredSchedule[] {
  try {
    return [readStoredSchedule(name, value)];
  } catch (error) {
    if (MillraceError.is(error)) return [];
    throw error;
  }
}
