import { type AnyJob, MillraceError, type Outcome, recordError, validate } from "@millrace/core";
import { type Ending, interpret, outcomeOfAbort } from "../interpret.ts";
import type { JobInHand } from "../job-in-hand.ts";
import { reportIgnoredAbort } from "../report.ts";
import { AttemptContext } from "./attempt-context.ts";
import { isThenable } from "./is-thenable.ts";
import { attemptStarted } from "./run-report.ts";

/**
 * One attempt: the payload is validated, the handler called, its result validated. One patience
 * covers the three, so that none of them can keep a slot for ever. Where none of them is
 * asynchronous there is no timer. The job is told its end; it may also have been given one from
 * outside, and then whatever the handler does has no hearer.
 *
 * The handler is called in the same turn where nothing is waited for before. No `async` function
 * from here to the handler's end: each one, and each `await`, costs every job processor time.
 */
export function attempt(of: JobInHand, job: AnyJob): void {
  const { abort, envelope } = of;
  // Told to stop between its admission and now: then nothing of it is best begun.
  if (abort.reason !== undefined) return of.end(outcomeOfAbort(abort.reason));
  if (job.input === undefined) return handle(of, job, envelope.payload);
  let checked: unknown;
  let isPromised: boolean;
  try {
    checked = validate(
      job.input,
      envelope.payload,
      "invalid-payload",
      `The payload of ${job.name}`,
    );
    isPromised = isThenable(checked);
  } catch (error) {
    return of.end(refuse(of, job, error));
  }
  if (!isPromised) return handle(of, job, checked);
  bePatient(of, job);
  Promise.resolve(checked)
    .then(
      (input) => handle(of, job, input),
      (error: unknown) => of.end(refuse(of, job, error)),
    )
    .catch((fault: unknown) => of.brokeOff(fault));
}

/**
 * A payload that breaks the schema's rules always will. A schema that could not even be asked may
 * do better next time.
 */
function refuse(of: JobInHand, job: AnyJob, error: unknown): Outcome {
  if (MillraceError.is(error, "invalid-payload"))
    return { kind: "rejected", reason: "invalid-payload", error: withoutStack(error) };
  start(of, job);
  return outcomeOf(of, { threw: error });
}

function handle(of: JobInHand, job: AnyJob, input: unknown): void {
  const { abort, host } = of;
  // The same while the payload was being validated.
  if (abort.reason !== undefined) return of.end(outcomeOfAbort(abort.reason));
  if (of.phase !== "attempting") return;
  start(of, job);
  const context = (of.context = new AttemptContext(input, of, job));
  let returned: unknown;
  let isPromised: boolean;
  try {
    returned = of.trace === undefined ? host.call(context) : of.trace.run(() => host.call(context));
    isPromised = isThenable(returned);
  } catch (threw) {
    return conclude(of, job, context, { threw });
  }
  if (!isPromised) return conclude(of, job, context, { returned });
  bePatient(of, job);
  Promise.resolve(returned).then(
    (value: unknown) => conclude(of, job, context, { returned: value }),
    (threw: unknown) => conclude(of, job, context, { threw }),
  );
}

/** The handler has come back. */
function conclude(of: JobInHand, job: AnyJob, context: AttemptContext, ending: Ending): void {
  if (of.phase !== "attempting") return;
  try {
    const outcome = outcomeOf(of, ending);
    const isChecked = outcome.kind === "succeeded" && job.output !== undefined;
    if (!isChecked && context.steps === undefined) return of.end(outcome);
    concludeSteps(of, job, context, ending, outcome).then(
      (concluded) => of.end(concluded),
      (fault: unknown) => of.brokeOff(fault),
    );
  } catch (fault) {
    of.brokeOff(fault);
  }
}

/** What its steps say of an outcome, and its schema of a result. */
async function concludeSteps(
  of: JobInHand,
  job: AnyJob,
  { steps }: AttemptContext,
  ending: Ending,
  { kind }: Outcome,
): Promise<Outcome> {
  if (steps !== undefined) {
    bePatient(of, job);
    const gainsaid = await steps.handlerEnded(kind === "succeeded");
    if (gainsaid !== undefined) return gainsaid;
  }
  // It may have been told to stop meanwhile.
  const outcome = outcomeOf(of, ending);
  return outcome.kind === "succeeded" ? await validated(of, job, outcome.output) : outcome;
}

async function validated(of: JobInHand, job: AnyJob, given: unknown): Promise<Outcome> {
  if (job.output === undefined) return { kind: "succeeded", output: given };
  try {
    const what = `The result of ${job.name}`;
    const output = validate<unknown>(job.output, given, "invalid-output", what);
    if (!isThenable(output)) return { kind: "succeeded", output };
    bePatient(of, job);
    return { kind: "succeeded", output: await output };
  } catch (error) {
    return { kind: "failed", error: withoutStack(error), retry: "policy" };
  }
}

function outcomeOf({ abort, host }: JobInHand, ending: Ending): Outcome {
  return interpret(ending, abort.reason, host.broker.maxDelayMs);
}

/** It is under way from here on, and may fail or time out. */
function start(of: JobInHand, job: AnyJob): void {
  if (of.startedAt === undefined) attemptStarted(of, job);
}

/** What is awaited now may have no end: once the attempt is over, nobody acts on it. */
function bePatient(of: JobInHand, job: AnyJob): void {
  if (of.patience !== undefined) return;
  start(of, job);
  const { abort, envelope, host } = of;
  const timeoutMs = envelope.timeoutMs ?? job.timeoutMs;
  of.patience = host.clock.setTimer(timeoutMs, () =>
    abort.abort("timed-out", `The handler did not end within its timeout of ${timeoutMs} ms.`),
  );
  abort.onAbort = () => beginGrace(of, job);
}

function beginGrace(of: JobInHand, job: AnyJob): void {
  const { abort, envelope, host } = of;
  if (of.phase !== "attempting") return;
  of.patience?.cancel();
  // A stopping node has a grace of its own and hands back what is left; only other causes are
  // waited for here.
  if (abort.reason?.code === "shutdown") return;
  of.patience = host.clock.setTimer(job.graceMs, () => {
    if (of.phase !== "attempting" || abort.reason === undefined) return;
    reportIgnoredAbort(host, envelope);
    of.end(outcomeOfAbort(abort.reason));
  });
}

/** Nothing is waited for and nothing told any more. */
export function stopAttempt(of: JobInHand): void {
  of.patience?.cancel();
  of.context?.close();
}

/** The stack of a failed validation shows our own code and helps nobody. */
function withoutStack(error: unknown): ReturnType<typeof recordError> {
  const { type, message } = recordError(error);
  return { type, message };
}
