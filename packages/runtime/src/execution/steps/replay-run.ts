import {
  type AnyJob,
  type Clock,
  type Envelope,
  type ExecutionContext,
  MillraceError,
  optionNames,
  OutcomeSignal,
  type ReadRun,
  readRun,
  type RecordedRun,
  recordError,
  refuseUnknown,
  tracePart,
  silentLogger,
  validate,
} from "@millrace/core";
import { type ReplayedRun, ReplayedSteps, type ReplayOutcome } from "./replayed-steps.ts";

export interface ReplayOptions {
  readonly clock: Clock;
  /** How long a handler may take. */
  readonly timeoutMs: number;
}

const NAMES = optionNames<ReplayOptions>({ clock: true, timeoutMs: true });

/** A handler that has asked for a step and is silent so long waits for it. */
const QUIET_MS = 50;
const BREAKS: readonly ReplayOutcome[] = ["mismatch", "early", "throws", "unanswered"];

/**
 * Runs a handler on what is on record of a run, and no function of a step. The handler's own code
 * between its steps does run.
 */
export async function replayRun(
  job: AnyJob,
  recorded: RecordedRun,
  options: ReplayOptions,
): Promise<ReplayedRun> {
  refuseUnknown(options, NAMES, "replayRun()");
  const run = readRun(recorded);
  const { id, queue, name, headers } = run.envelope;
  const abort = new AbortController();
  const steps = new ReplayedSteps(
    run,
    job.steps ?? { version: 1, olderRuns: "run" },
    options.clock,
  );
  const found = await outcomeOf(job, run, { ...options, steps, signal: abort.signal });
  steps.close();
  abort.abort(new MillraceError("cancelled", "The replay is over."));
  return {
    ...{ job: { id, queue, name }, ...tracePart(headers), replayed: steps.replayed, at: steps.at },
    ...{ notAsked: steps.notAsked, breaks: BREAKS.includes(found.outcome) },
    ...found,
  };
}

type Found = Pick<ReplayedRun, "outcome" | "error">;

interface Replay extends ReplayOptions {
  readonly steps: ReplayedSteps;
  readonly signal: AbortSignal;
}

async function outcomeOf(job: AnyJob, run: ReadRun, replay: Replay): Promise<Found> {
  const { steps, clock, timeoutMs } = replay;
  if (job.steps === undefined)
    return mismatch(`The job ${job.name} has steps on record, and its handler has none.`);
  const refused = await steps.read();
  if (refused !== undefined) return refused;
  const ended = (async (): Promise<Found> => {
    try {
      const { input: schema } = job;
      const input: unknown =
        schema === undefined
          ? run.envelope.payload
          : await validate(
              schema,
              run.envelope.payload,
              "invalid-payload",
              `The payload of ${job.name}`,
            );
      const result: unknown = await job.handle(contextOf(job, run.envelope, input, replay));
      if (OutcomeSignal.is(result)) throw result;
      return steps.endedWell();
    } catch (error) {
      // It asks for an end of its own; nothing on record gainsays that.
      if (OutcomeSignal.is(error)) return { outcome: "ends" };
      return { outcome: "throws", error: recordError(error) };
    }
  })();
  const late = Promise.withResolvers<Found>();
  const timer = clock.setTimer(timeoutMs, () => late.resolve({ outcome: "unanswered" }));
  const found = await Promise.race([ended, steps.stoodStill(QUIET_MS), late.promise]);
  timer.cancel();
  return found;
}

function mismatch(why: string): Found {
  return { outcome: "mismatch", error: recordError(new MillraceError("journal-mismatch", why)) };
}

/** What the handler is given: nothing that it does with it leaves this process. */
function contextOf(
  job: AnyJob,
  envelope: Envelope,
  input: unknown,
  { steps, signal }: Replay,
): ExecutionContext {
  let children = 0;
  const child = (queue: string, id: string | undefined) => ({
    ...{ id: id ?? `replayed-${(children += 1)}`, queue, duplicate: false },
  });
  return {
    ...{ input, signal, job: envelope, node: "replay", token: 0, log: silentLogger },
    attempt: envelope.attempts + 1,
    maxAttempts: envelope.maxAttempts ?? job.retry.attempts,
    step: steps.api,
    progress: () => {},
    enqueue: async (to, _input, given) => child(to.queue, given?.id),
    enqueueMany: async (to, items) => items.map(({ id }) => ({ ok: true, ...child(to.queue, id) })),
    transaction: () => steps.transaction(),
  };
}
