import {
  type Clock,
  type Document,
  type DocumentStore,
  findToReplace,
  leadershipOf,
  type LeftOut,
  MillraceError,
  planTick,
  readStoredSchedule,
  SCHEDULES,
  type ScheduleState,
  type StoredSchedule,
  type Timer,
  withDropped,
  withFired,
  withIntent,
  withQueued,
  withSkipped,
  withTrouble,
  tickJob,
  tickJobId,
} from "@millrace/core";
import type { HeldLease } from "../lock/lock-request.ts";
import type { Written } from "../service/written.ts";
import { cancelJob } from "../control/cancel-job.ts";
import { isOfNewStore, type KnownState, knownOf } from "./known-state.ts";
import { PreviousJob } from "./previous-job.ts";
import type { SchedulerHost } from "./scheduler-host.ts";
import { reportFailed, reportFired, reportSkipped } from "./report-ticks.ts";
import { whereabouts } from "./whereabouts.ts";

/** The wall clock may be stepped while a timer runs, and a timer does not notice. */
const LONGEST_SLEEP_MS = 30_000;
const RETRY_MS = 1_000;
/** Half of what a queue remembers of ids, by default: a job that fired so lately is known there. */
const FRESH_MS = 60_000;

export interface TickerOptions {
  readonly host: SchedulerHost;
  readonly states: DocumentStore;
  readonly lease: HeldLease;
  /** A greater leadership has written: this one is over, whatever its lease says. */
  readonly onSuperseded: () => void;
}

/**
 * Leads one schedule: does what `planTick` says, one thing after another, and sleeps until the next
 * tick. `asleep ⇄ busy ⇄ busy and nudged`, and `stopped` from anywhere.
 *
 * A tick takes three writes, and the process may end between any two: the intent (compare-and-set),
 * the job (under the tick's id), the tick as the last one (compare-and-set). Before each the lease
 * is looked at.
 */
export class Ticker {
  readonly #host: SchedulerHost;
  readonly #clock: Clock;
  readonly #states: DocumentStore;
  readonly #lease: HeldLease;
  readonly #onSuperseded: () => void;
  /** The lease's, unless the schedule has a greater one of locks that are gone. */
  #token: number;
  #schedule: StoredSchedule;
  #phase: "asleep" | "busy" | "nudged" | "stopped" = "asleep";
  /** The run under way, or the last one. */
  #run: Promise<void> = Promise.resolve();
  #timer: Timer | undefined;
  /** Undefined: to be read. */
  #known: KnownState | undefined;
  /** The last state that was read, or told by somebody. */
  #seen: Written | undefined;
  /**
   * The intent was written by this ticker and nothing has failed since: its job can't be there yet.
   */
  #intentIsFresh = false;
  /** Ticks up to this may have fired, and nothing says so: their schedule has lost its state. */
  #doubtfulUpTo = Number.NEGATIVE_INFINITY;
  readonly #previous: PreviousJob;
  #failures = 0;

  constructor(schedule: StoredSchedule, options: TickerOptions) {
    this.#schedule = schedule;
    this.#previous = new PreviousJob(options.host, schedule.name, () => this.wake());
    this.#host = options.host;
    this.#clock = options.host.clock;
    this.#states = options.states;
    this.#lease = options.lease;
    this.#token = options.lease.token;
    this.#onSuperseded = options.onSuperseded;
  }

  /** The definition has changed. */
  reschedule(schedule: StoredSchedule): void {
    this.#schedule = schedule;
    this.wake();
  }

  /** The state as somebody has written it; the ticker's own writes come back here too. */
  learn(document: Document | undefined): void {
    const known = knownOf(document);
    const isBehind = known.revision !== 0 && known.revision <= (this.#known?.revision ?? 0);
    if (isBehind && !isOfNewStore(document, this.#seen)) return;
    this.#seen = document;
    this.#known = known;
    this.wake();
  }

  /** Looks again at what is due. */
  wake(): void {
    if (this.#phase === "busy") this.#phase = "nudged";
    if (this.#phase !== "asleep") return;
    this.#phase = "busy";
    this.#timer?.cancel();
    // What was seen to go on before the sleep may have ended.
    this.#previous.lookAgain();
    this.#run = this.#work();
  }

  /** Resolves when no write is under way any more. Idempotent. */
  async stop(): Promise<void> {
    this.#phase = "stopped";
    this.#timer?.cancel();
    this.#previous.unfollow();
    await this.#run;
  }

  get #isLeading(): boolean {
    return this.#phase !== "stopped" && this.#lease.isHeld();
  }

  async #work(): Promise<void> {
    let sleepMs = LONGEST_SLEEP_MS;
    try {
      for (let done = false; !done && this.#isLeading;) {
        const known = (this.#known ??= await this.#read());
        if (leadershipOf(known.state) > this.#token && !(await this.#raiseToken(known.state)))
          return this.#onSuperseded();
        const step = await this.#step(known);
        if (step === undefined) continue;
        done = true;
        sleepMs = Math.min(step.sleepMs, LONGEST_SLEEP_MS);
      }
      this.#failures = 0;
    } catch (error) {
      sleepMs = Math.min(RETRY_MS * 2 ** this.#failures, LONGEST_SLEEP_MS);
      this.#failures += 1;
      this.#intentIsFresh = false;
      // Whether a write that failed was carried out is not known.
      this.#known = undefined;
      reportFailed(this.#host, this.#schedule.name, error);
    }
    this.#sleep(sleepMs);
  }

  /**
   * Tokens grow as long as the locks are there. If the newest of this lock is smaller than what the
   * schedule knows, the locks were lost and count anew: their leader goes on above that.
   *
   * @returns false where a greater leadership is there
   */
  async #raiseToken(state: ScheduleState): Promise<boolean> {
    const greatest = leadershipOf(state);
    const found = await this.#host.broker.locks.look(this.#lease.name);
    if (found?.holder !== this.#host.node || found.token >= greatest) return false;
    this.#token = greatest + 1;
    const { name: schedule } = this.#schedule;
    this.#host.log.warn({ schedule }, "the locks were lost; the schedule goes on");
    return true;
  }

  #sleep(ms: number): void {
    if (!this.#isLeading) return;
    const nudged = this.#phase === "nudged" && this.#failures === 0;
    this.#phase = "asleep";
    if (nudged) this.wake();
    else this.#timer = this.#clock.setTimer(ms, () => this.wake());
  }

  /** Does one thing. @returns how long there is nothing more to do */
  async #step(known: KnownState): Promise<{ readonly sleepMs: number } | undefined> {
    const schedule = this.#schedule;
    const now = this.#clock.now();
    const { job } = known.state;
    const next = planTick(schedule, known.state, now, this.#previous.is(job));
    // If the schedule is gone, its state is gone too, and the news of the former may come later.
    if (known.revision === 0 && next.do !== "wait") {
      const stored = await this.#stored();
      if (stored === undefined) return { sleepMs: LONGEST_SLEEP_MS };
      if (stored.since !== schedule.since) {
        if (this.#schedule === schedule) this.#schedule = stored;
        return undefined;
      }
    }
    // Nothing says what has fired, also where somebody has written since it was lost.
    if (known.state.lastTick === undefined && next.do !== "wait") this.#doubtfulUpTo = now;
    switch (next.do) {
      case "wait":
        if (next.onEnd) this.#previous.follow(job);
        else this.#previous.unfollow();
        return {
          sleepMs: next.until === undefined ? LONGEST_SLEEP_MS : Math.max(0, next.until - now),
        };
      case "look":
        await this.#previous.look(job);
        return undefined;
      case "skip":
        if (await this.#put(known, withSkipped(known.state, next, now)))
          reportSkipped(this.#host, schedule.name, next, now);
        return undefined;
      case "queue":
        await this.#put(known, withQueued(known.state, next.tick));
        return undefined;
      case "fire":
        await this.#intend(known, next.tick);
        return undefined;
      case "resolve":
        await this.#resolve(known, next.drop, now);
        return undefined;
    }
  }

  /** @param isSought it was looked for, or need not be: a late tick may have fired already. */
  async #intend(
    known: KnownState,
    tick: number,
    isSought = tick > this.#doubtfulUpTo && this.#clock.now() - tick < FRESH_MS,
  ): Promise<void> {
    const intent = { tick, queue: this.#schedule.queue, token: this.#token };
    const isPut = await this.#put(known, withIntent(known.state, intent));
    this.#intentIsFresh = isPut && isSought;
  }

  /**
   * Brings an intent to its end, whoever had it.
   *
   * @param drop why its job is not to be enqueued any more; left out where it is
   * @param decidedAt by which that is
   */
  async #resolve(known: KnownState, drop: LeftOut | undefined, decidedAt: number): Promise<void> {
    const { intent } = known.state;
    if (intent === undefined) return;
    // It may be changed while this is under way: the job goes where the intent says.
    const schedule = this.#schedule;
    const { name, queue } = schedule;
    const id = tickJobId(name, intent.tick);
    if (!this.#intentIsFresh) {
      const found = await whereabouts(this.#host.broker, { id, queue: intent.queue });
      if (found.is !== "absent") return this.#fired(known, intent.queue, found.by);
    }
    if (drop !== undefined) return this.#drop(known, drop, decidedAt);
    // Its queue may have been given up since.
    if (intent.token !== this.#token || intent.queue !== queue)
      return this.#intend(known, intent.tick, true);
    await this.#cancelPrevious(known.state);
    const duplicate = await this.#publish(schedule, intent.tick);
    this.#intentIsFresh = false;
    // Another leadership's that came late, or its own whose answer was lost.
    const there = duplicate ? await whereabouts(this.#host.broker, { id, queue }) : undefined;
    await this.#fired(known, queue, there === undefined ? this.#token : there.by);
  }

  async #drop(known: KnownState, left: LeftOut, at: number): Promise<void> {
    const { intent, queued } = known.state;
    const isPut = await this.#put(known, withDropped(known.state, left, at));
    if (isPut && intent?.tick !== queued) reportSkipped(this.#host, this.#schedule.name, left, at);
  }

  async #cancelPrevious(state: ScheduleState): Promise<void> {
    if (this.#schedule.overlap !== "cancel" || state.job === undefined) return;
    if (this.#previous.is(state.job) === "unknown") await this.#previous.look(state.job);
    if (this.#previous.is(state.job) !== "going" || !this.#isLeading) return;
    await cancelJob(
      this.#host.broker,
      state.job,
      `The schedule ${this.#schedule.name} is due again.`,
      this.#clock.now(),
    );
  }

  /** @returns whether a job of this id was there already */
  async #publish(schedule: StoredSchedule, tick: number): Promise<boolean> {
    const job = tickJob(schedule, tick, this.#token, this.#clock.now());
    if (!this.#isLeading) throw resigned();
    const [result] = await this.#host.broker.enqueue([job], { own: true });
    if (result === undefined)
      throw new MillraceError("publish-timeout", `The broker said nothing about job ${job.id}.`);
    if (result.ok) return result.duplicate;
    await this.#noteTrouble(result.error);
    throw result.error;
  }

  async #fired(known: KnownState, queue: string, by: number | undefined): Promise<void> {
    const { intent, queued } = known.state;
    if (intent === undefined) return;
    const { name, lateAfterMs } = this.#schedule;
    const { tick } = intent;
    const now = this.#clock.now();
    const job = { id: tickJobId(name, tick), queue, tick };
    const lateMs = Math.max(0, now - tick);
    // A queued tick has waited as it should.
    const late = tick !== queued && lateMs > lateAfterMs;
    const next = withFired(known.state, job, { at: now, late, by, token: this.#token });
    this.#previous.unfollow();
    if (await this.#put(known, next)) reportFired(this.#host, name, job, { lateMs, late });
  }

  /** So that people see it; the retry does not depend on it. */
  async #noteTrouble(error: MillraceError): Promise<void> {
    const known = this.#known;
    if (known === undefined || known.state.trouble?.code === error.code) return;
    const trouble = { code: error.code, message: error.message, at: this.#clock.now() };
    await this.#put(known, withTrouble(known.state, trouble));
  }

  /** From its leader, as it is now. */
  async #stored(): Promise<StoredSchedule | undefined> {
    const { name } = this.#schedule;
    const document = await (await this.#host.broker.documents(SCHEDULES)).get(name);
    return document && readStoredSchedule(name, document.value);
  }

  async #read(): Promise<KnownState> {
    const document = await findToReplace(this.#states, this.#schedule.name);
    this.#seen = document;
    return knownOf(document);
  }

  /**
   * @returns whether it was written; where somebody else has written since, everything is planned
   *   anew
   */
  async #put(known: KnownState, state: ScheduleState): Promise<boolean> {
    if (!this.#isLeading) throw resigned();
    try {
      const revision = await this.#states.put(this.#schedule.name, state, known.revision);
      this.#known = { state, revision };
      return true;
    } catch (error) {
      if (!MillraceError.is(error, "revision-conflict")) throw error;
      this.#known = undefined;
      this.#intentIsFresh = false;
      return false;
    }
  }
}

function resigned(): MillraceError {
  return new MillraceError("lock-lost", "This node no longer leads the schedules.");
}
