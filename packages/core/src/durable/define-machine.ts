import { shownValue } from "../options/option-values.ts";
import { type AnyActorLogic, type AnyStateMachine, fromPromise } from "xstate";
import { requireQueueName } from "../ids/names.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import {
  type AnyJob,
  type AnyJobDefinition,
  defineJob,
  type JobOptions,
} from "../job/define-job.ts";
import { optionNames, refuseUnknown } from "../options/known-options.ts";
import { type Duration, formatMs, toMs } from "../time/duration.ts";
import { checkChart } from "./check-chart.ts";
import { requireMachineName } from "./machine-names.ts";
import { runPromise } from "./promise-logic.ts";

/** What is stored of a machine, for a migration. */
export interface MachineState {
  /** The state's value, as XState has it: `"paid"`, or `{ open: { payment: "due" } }`. */
  readonly value: unknown;
  readonly context: unknown;
}

/** How the promises of a chart run: each as a job of its own. */
export type PromiseJobOptions = Pick<
  JobOptions<unknown, unknown, unknown>,
  "queue" | "retry" | "timeout"
>;

/** A durable machine as users describe it. */
export interface MachineOptions<Chart extends AnyStateMachine> {
  /** What its events are addressed to: up to 32 of `A-Z a-z 0-9 _ -`. */
  readonly name: string;
  /** An XState 5 machine, made by `setup()`. */
  readonly machine: Chart;
  /** The job that stands for an actor, by the name that the chart has for the actor (`src`). */
  readonly jobs?: Readonly<Record<string, AnyJobDefinition>>;
  /**
   * For the chart's promises that no job is named for. Their jobs are called `<name>.<src>`.
   * Default: the queue `machines`, and a job's own defaults.
   */
  readonly promises?: PromiseJobOptions;
  /**
   * Names of the machines that its chart may send events to (`sendTo` with `machineAddress()`).
   * Default: none.
   */
  readonly sendsTo?: readonly string[];
  /** Of the chart's states and context: a whole number from 1 that grows. Default: 1. */
  readonly version?: number;
  /**
   * Makes a state of an earlier version into one of this. It must be pure. Without it a machine of
   * another version takes no events here.
   */
  readonly migrate?: (state: MachineState, fromVersion: number) => MachineState;
  /**
   * How long a machine that has come to an end is kept, from the last that came to it: at least one
   * minute. Then its id may be started anew. Default: `"30d"`.
   */
  readonly keepEnded?: Duration | "forever";
}

/** A checked, frozen definition of a durable machine. */
export interface MachineDefinition<Chart extends AnyStateMachine = AnyStateMachine> {
  readonly kind: "machine";
  readonly name: string;
  readonly machine: Chart;
  /** By the chart's names of the actors; the promises' own jobs are among them. */
  readonly jobs: Readonly<Record<string, AnyJobDefinition>>;
  /** Those of its promises, with their handlers: a node that hosts the machine runs them. */
  readonly promiseJobs: readonly AnyJob[];
  readonly sendsTo: readonly string[];
  readonly version: number;
  readonly migrate: ((state: MachineState, fromVersion: number) => MachineState) | undefined;
  /** Undefined: for ever. */
  readonly keepEndedMs: number | undefined;
  /** The chart with nothing behind its actors, and a bound to its microsteps. */
  readonly inert: AnyStateMachine;
}

const NAMES = optionNames<MachineOptions<AnyStateMachine>>({
  ...{ name: true, machine: true, jobs: true, promises: true, version: true, migrate: true },
  ...{ sendsTo: true, keepEnded: true },
});
const PROMISE_NAMES = optionNames<PromiseJobOptions>({ queue: true, retry: true, timeout: true });

/** An `always` that leads back to itself would go on until the process has no memory left. */
const MOST_MICROSTEPS = 1_000;
const SHORTEST_KEPT_MS = 60_000;
const NOTHING_BEHIND = fromPromise(() => new Promise<never>(() => {}));

/**
 * Describes a durable machine: an XState chart whose state is stored, whose timers outlive every
 * process, and whose invoked actors are jobs.
 *
 * @throws MillraceError `invalid-name`, `invalid-option`; `machine-unsupported` where the chart has
 *   something that can't be kept
 * @example
 * export const order = defineMachine({ name: "order", machine: chart, jobs: { charge, ship } });
 * const o = millrace.machine(order, "o-17");
 * await o.start({ cents: 1_200 });
 */
export function defineMachine<Chart extends AnyStateMachine>(
  options: MachineOptions<Chart>,
): MachineDefinition<Chart> {
  refuseUnknown(options, NAMES, "defineMachine()");
  const { machine, jobs = {}, promises = {}, sendsTo = [], version = 1, migrate } = options;
  const keepEndedMs = keptMs(options.keepEnded ?? "30d");
  const name = requireMachineName(options.name);
  refuseUnknown(promises, PROMISE_NAMES, "defineMachine()", "promises");
  if (!isChart(machine))
    throw wrong("machine must be an XState 5 machine: what setup().createMachine() returns");
  if (!Number.isSafeInteger(version) || version < 1)
    throw wrong(`version must be a whole number from 1; got ${shownValue(version)}`);
  for (const [src, job] of Object.entries(jobs))
    if (typeof job?.name !== "string" || typeof job.handler !== "function")
      throw wrong(`jobs.${src} must be what defineJob() returned`);
  checkChart({ name, jobs, sendsTo: sendsTo.map(requireMachineName) }, machine);
  const actors = machine.implementations.actors as Readonly<Record<string, AnyActorLogic>>;
  const promiseJobs = Object.entries(actors)
    .filter(([src]) => !(src in jobs))
    .map(([src, logic]) => promiseJob(`${name}.${src}`, logic, promises));
  const own = promiseJobs.map((job) => [job.name.slice(name.length + 1), job] as const);
  const all = { ...jobs, ...Object.fromEntries(own) };
  return Object.freeze({
    kind: "machine" as const,
    ...{ name, machine, version, migrate, keepEndedMs },
    sendsTo: Object.freeze([...sendsTo]),
    jobs: Object.freeze(all),
    promiseJobs: Object.freeze(promiseJobs),
    inert: inert(machine, Object.keys(all)),
  });
}

export function isMachine(value: unknown): value is MachineDefinition {
  return typeof value === "object" && value !== null && "inert" in value && "promiseJobs" in value;
}

function promiseJob(
  name: string,
  logic: AnyActorLogic,
  { queue = "machines", ...rest }: PromiseJobOptions,
): AnyJob {
  return defineJob({ ...rest, name, queue: requireQueueName(queue) }).handler(({ input, signal }) =>
    runPromise(logic, input ?? undefined, signal),
  );
}

function inert(machine: AnyStateMachine, names: readonly string[]): AnyStateMachine {
  const actors = Object.fromEntries(names.map((src) => [src, NOTHING_BEHIND]));
  const copy = machine.provide({ actors } as never) as AnyStateMachine;
  const { maxIterations = Infinity } = copy.options;
  copy.options.maxIterations = Math.min(maxIterations, MOST_MICROSTEPS);
  return copy;
}

function isChart(value: unknown): value is AnyStateMachine {
  return (
    typeof value === "object" &&
    value !== null &&
    "implementations" in value &&
    "root" in value &&
    "provide" in value
  );
}

function keptMs(keep: Duration | "forever"): number | undefined {
  if (keep === "forever") return undefined;
  const ms = toMs(keep, "keepEnded");
  if (ms >= SHORTEST_KEPT_MS) return ms;
  throw wrong(`keepEnded must be at least ${formatMs(SHORTEST_KEPT_MS)}, or "forever"`);
}

function wrong(why: string): MillraceError {
  return new MillraceError("invalid-option", `${why}.`);
}
