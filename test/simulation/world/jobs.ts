import {
  type AnyJob,
  defineJob,
  type ExecutionContext,
  fatal,
  type JobDefinition,
  type JobOptions,
  MillraceError,
  type OutcomeSignal,
  snooze,
} from "@millrace/core";
import type { SimProcess } from "../engine/process.ts";
import { againOf } from "../oracle/turns.ts";
import type { Ledger, RunEnd } from "./ledger.ts";

/**
 * What a job's handler is to do: its producer says so, so that every node and every run does the
 * same.
 */
export interface Script {
  /** Attempts that fail, from the first. */
  readonly fails: number;
  readonly snoozes: number;
  readonly runMs: number;
  /** Goes on after its signal was aborted. */
  readonly deaf: boolean;
  /** Has an effect that must not be had twice: a run that finds it done dies of it. */
  readonly charges: boolean;
  /** Of a singleton, a cap, a rate or a unique key. */
  readonly key: string;
  /** What it calls is out of order up to then, milliseconds of the world: its attempts fail. */
  readonly brokenUntilMs?: number;
  /** A job that the handler enqueues, by its id. */
  readonly child?: string;
  /** Signals that it waits for, one after the other, where it has steps. */
  readonly waits?: number;
  /** It has the id of another job before it: what that one has charged is not its own. */
  readonly again?: boolean;
}

export const ATTEMPTS = 4;
const RETRY = { attempts: ATTEMPTS, backoff: "fixed" } as const;

const queueOf = {
  plain: "work",
  narrow: "narrow",
  single: "work",
  capped: "work",
  rated: "work",
  unique: "work",
  link: "work",
  callback: "narrow",
  money: "money",
  shop: "shop",
  tick: "work",
  renewed: "renewed",
  told: "work",
  latest: "work",
  newest: "work",
} as const;
export type JobName = keyof typeof queueOf;
export const QUEUES = ["work", "narrow", "money", "shop"] as const;

const keyOfInput = (input: unknown): string =>
  typeof input === "object" && input !== null && "key" in input && typeof input.key === "string"
    ? input.key
    : "none";

/** The window of a key, by its jobs' name. */
export const NEWEST_MS = 4_000;

const coordinated = {
  single: { singleton: { key: keyOfInput } },
  capped: { concurrency: { key: keyOfInput, limit: 2 } },
  rated: { rateLimit: { key: keyOfInput, limit: 5, per: "2s" } },
  unique: { unique: { key: keyOfInput, while: "running", onConflict: "keep" } },
  latest: { unique: { key: keyOfInput, while: "pending", onConflict: "replace" } },
  newest: { unique: { key: keyOfInput, while: { window: NEWEST_MS }, onConflict: "replace" } },
} as const;

/** Jobs that give way to later ones of their key. */
export const REPLACING = ["latest", "newest"] as const satisfies readonly JobName[];

/** How many jobs of a name may run at once with one key. */
export const LIMITS = {
  single: 1,
  capped: coordinated.capped.concurrency.limit,
  unique: 1,
} as const;

export type Definition = JobDefinition<unknown, unknown, unknown>;

function definitions(
  more: (name: JobName) => Pick<JobOptions<unknown, unknown, unknown>, "onDead" | "steps">,
) {
  return Object.fromEntries(
    (Object.entries(queueOf) as [JobName, string][]).map(([name, queue]) => [
      name,
      defineJob({
        name,
        queue,
        retry: RETRY,
        grace: "1s",
        ...(name in coordinated ? coordinated[name as keyof typeof coordinated] : {}),
        ...more(name),
      }),
    ]),
  ) as Record<JobName, Definition>;
}

export const JOBS = definitions(() => ({}));

/** Jobs whose ends are told, in worlds in which any are. */
export const TELLING: ReadonlySet<JobName> = new Set<JobName>([
  ...(["plain", "narrow", "single", "capped", "rated", "unique", "link", "money"] as const),
]);
const toTell = { onSucceeded: JOBS.told, onDead: JOBS.told, onCancelled: JOBS.told };
const TELLERS = definitions((name) => (TELLING.has(name) ? toTell : {}));

/** What handlers have to do with outside of their process. */
export interface Outside {
  readonly ledger: Ledger;
  /** Jobs whose effect was had: a ledger of some shop, outside of all this. */
  readonly charged: Set<string>;
  /** A place in a handler at which its process may be struck. */
  poke(process: SimProcess, point: string): void;
}

/** Jobs with steps, in worlds in which any have them. */
export const STEPPED: ReadonlySet<JobName> = new Set<JobName>(["plain", "narrow", "money", "link"]);
const STEPPERS = definitions((name) => (STEPPED.has(name) ? { steps: true } : {}));

export interface HandlerKinds {
  /** Whether there is a queue that is made anew. */
  readonly renews: boolean;
  /** Whether jobs are enqueued that are told of the ends of others. */
  readonly tells: boolean;
  /** Whether some jobs have steps. */
  readonly steps: boolean;
}

/** Of the queue that is made anew too, where there is one. */
export function handlersOf(
  process: SimProcess,
  outside: Outside,
  { renews, tells, steps }: HandlerKinds,
): AnyJob[] {
  const { renewed, ...others } = tells ? TELLERS : steps ? STEPPERS : JOBS;
  return [...Object.values(others), ...(renews ? [renewed] : [])].map((job) =>
    job.handler((context) => new Run(process, outside, context, job.steps !== undefined).go()),
  );
}

/** Longer than any lateness that a fault may cause, and shorter than a world may take. */
const SIGNAL_TIMEOUT = "10m";

/** One run of one job, noted from outside. */
class Run {
  readonly #process: SimProcess;
  readonly #outside: Outside;
  readonly #context: ExecutionContext;
  readonly #script: Script;
  readonly #run: number;
  readonly #hasSteps: boolean;
  /** Steps whose functions run. */
  #busy = 0;

  constructor(process: SimProcess, outside: Outside, context: ExecutionContext, hasSteps: boolean) {
    this.#hasSteps = hasSteps;
    this.#process = process;
    this.#outside = outside;
    this.#context = context;
    this.#script = scriptOf(context.input);
    this.#run = outside.ledger.nextRun();
  }

  async go(): Promise<unknown | OutcomeSignal> {
    const { job, attempt, token, signal } = this.#context;
    // Killed in this very turn: no code of a dead process runs.
    if (this.#process.isDead) return new Promise<never>(() => {});
    const { ledger, charged } = this.#outside;
    const run = this.#run;
    const { snoozes, runMs, charges, child } = this.#script;
    ledger.note({
      is: "began",
      run,
      job: job.id,
      queue: job.queue,
      process: this.#process.name,
      attempt,
      token,
      life: job.life ?? 0,
      createdAt: job.createdAt,
      key: job.name in coordinated ? `${job.name} ${this.#script.key}` : undefined,
      input: this.#context.input,
    });
    signal.addEventListener("abort", () => {
      if (!this.#process.isDead)
        ledger.note({ is: "aborted", run, cause: (signal.reason as Error).name });
    });
    this.#poke("begun");
    const order = this.#script.again === true ? againOf(job.id) : job.id;
    if (charges && charged.has(order)) {
      this.#end("fatal");
      return fatal("charged already");
    }
    if (this.#hasSteps) await this.#stepThrough();
    else await this.#work(runMs / 2);
    if (!this.#hasSteps && job.snoozes < snoozes) {
      this.#end("snoozed");
      return snooze("3s");
    }
    if (this.#isToFail) {
      this.#end("failed");
      throw new Error(`asked to fail at attempt ${attempt}`);
    }
    ledger.note({ is: "effect", run, job: job.id, token });
    if (charges) charged.add(order);
    this.#poke("charged");
    if (child !== undefined) await this.#enqueue(child);
    await this.#work(runMs / 2);
    this.#poke("done");
    this.#end("succeeded");
    return { job: job.id, run, token };
  }

  /** Two steps side by side, the naps that it is to take, and a step after them. */
  async #stepThrough(): Promise<void> {
    const { snoozes, runMs, waits = 0 } = this.#script;
    await Promise.all([this.#step("one", runMs / 4), this.#step("two", runMs / 8)]);
    for (let nap = 0; nap < snoozes; nap += 1) {
      this.#end("snoozed");
      await this.#context.step.sleep("nap", "3s");
      this.#resume();
    }
    for (let n = 0; n < waits; n += 1) await this.#takeSignal(n);
    await this.#step("three", runMs / 8);
  }

  async #takeSignal(n: number): Promise<void> {
    const { step, job } = this.#context;
    const { ledger } = this.#outside;
    this.#end("snoozed");
    if (!this.#process.isDead) ledger.note({ is: "waits", job: job.id, n });
    const value = await step.waitFor<number>("go", { timeout: SIGNAL_TIMEOUT });
    if (this.#process.isDead) return new Promise<never>(() => {});
    this.#resume();
    const { id, queue } = job;
    ledger.note({ is: "signal-taken", run: this.#run, job: id, queue, n, value });
    this.#poke(`signal ${n}`);
  }

  async #step(name: string, ms: number): Promise<void> {
    const { step, job } = this.#context;
    const { ledger } = this.#outside;
    const { id, queue, createdAt } = job;
    const about = { run: this.#run, job: id, queue, createdAt, step: name };
    // Between a step's function and its record nothing of the handler goes on, and where another
    // has ended the job it is never answered.
    if (this.#busy === 0) this.#end("snoozed");
    const ran = await step.run(name, async () => {
      if (this.#process.isDead) return new Promise<never>(() => {});
      if (this.#busy === 0) this.#resume();
      this.#busy += 1;
      ledger.note({ is: "step-ran", ...about });
      this.#poke(`step ${name}`);
      await this.#work(ms).finally(() => {
        this.#busy -= 1;
        if (this.#busy === 0) this.#end("snoozed");
      });
      return this.#run;
    });
    if (this.#process.isDead) return new Promise<never>(() => {});
    if (this.#busy === 0) this.#resume();
    ledger.note({ is: "step-given", ran, ...about });
    this.#poke(`given ${name}`);
  }

  #resume(): void {
    if (!this.#process.isDead) this.#outside.ledger.note({ is: "resumed", run: this.#run });
  }

  /** A handler whose enqueue fails has failed, unless it had been told to stop. */
  async #enqueue(child: string): Promise<void> {
    try {
      await this.#context.enqueue(JOBS.plain, childOf(this.#script), { id: child });
    } catch (error) {
      this.#end(this.#context.signal.aborted ? "aborted" : "failed");
      throw error;
    }
  }

  /** What was mended meanwhile: a new life goes better. */
  get #isToFail(): boolean {
    const { job, attempt } = this.#context;
    const { fails, brokenUntilMs = 0 } = this.#script;
    if (job.life !== undefined) return false;
    return attempt <= fails || this.#process.clock.monotonic() < brokenUntilMs;
  }

  /** A handler that listens ends at its signal, at its first look after waking as well. */
  async #work(ms: number): Promise<void> {
    const { signal } = this.#context;
    const { clock } = this.#process;
    await new Promise<void>((resolve, reject) => {
      const done = (): void => {
        signal.removeEventListener("abort", give);
        if (!this.#script.deaf && signal.aborted) give();
        else resolve();
      };
      const give = (): void => {
        timer.cancel();
        this.#end("aborted");
        reject(signal.reason as Error);
      };
      const timer = clock.setTimer(ms, done);
      if (this.#script.deaf) return;
      if (signal.aborted) give();
      else signal.addEventListener("abort", give, { once: true });
    });
  }

  #end(how: RunEnd): void {
    if (this.#process.isDead) return;
    this.#outside.ledger.note({ is: "ended", run: this.#run, job: this.#context.job.id, how });
  }

  /** @throws where the process is gone: nothing of it goes on */
  #poke(step: string): void {
    const { job, attempt } = this.#context;
    this.#outside.poke(this.#process, `handler ${job.id} ${attempt} ${step}`);
    if (this.#process.isDead) throw new MillraceError("already-stopped", "The process was killed.");
  }
}

/** It has none of its own: that would be itself. */
function childOf({ child: _itself, waits: _none, ...script }: Script): Script {
  return { ...script, fails: 0 };
}

/** A job of a hostile producer, or one that follows another, brings no script. */
function scriptOf(input: unknown): Script {
  const script: Script = {
    fails: 0,
    snoozes: 0,
    runMs: 20,
    deaf: false,
    charges: false,
    key: "none",
  };
  if (typeof input !== "object" || input === null) return script;
  return "script" in input && typeof input.script === "object"
    ? { ...script, ...input.script }
    : { ...script, ...input, ...("fails" in input ? {} : script) };
}
