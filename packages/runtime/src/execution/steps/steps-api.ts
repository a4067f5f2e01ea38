import {
  type AnyJobDefinition,
  type CallOptions,
  type CheckedWait,
  type Clock,
  type Duration,
  type JobDefinition,
  LATEST_DATE_MS,
  MillraceError,
  optionNames,
  refuseUnknown,
  requireSignalName,
  type Schema,
  type Signal,
  type StepCall,
  type StepOptions,
  type Steps,
  toMs,
  type WaitOptions,
} from "@millrace/core";

/** What the steps of a handler come down to. */
export interface StepCalls {
  run<Result, Output>(
    name: string,
    fn: (call: StepCall) => Promise<Result> | Result,
    options?: StepOptions<Output>,
  ): Promise<Output>;
  /** @param untilMs epoch milliseconds */
  sleep(name: string, untilMs: number): Promise<void>;
  /** @param untilMs epoch milliseconds, or Infinity */
  call(name: string, job: AnyJobDefinition, input: unknown, untilMs: number): Promise<unknown>;
  /** @param untilMs epoch milliseconds, or Infinity */
  wait(
    name: string,
    untilMs: number,
    schema: Schema<unknown, unknown> | undefined,
  ): Promise<unknown>;
  version(): Promise<number>;
}

const RUN_NAMES = optionNames<StepOptions<unknown>>({ output: true });
const CALL_NAMES = optionNames<CallOptions>({ name: true, timeout: true });
const NAMED_WAIT_NAMES = optionNames<WaitOptions & CheckedWait<unknown>>({
  ...{ timeout: true, schema: true },
});
/** Of a signal that was defined, whose schema is its own. */
const WAIT_NAMES = optionNames<WaitOptions>({ timeout: true });

/** A handler's `step`: reads what it was given, in the turn of the call. */
export function stepsApi(clock: Clock, calls: StepCalls): Steps {
  const after = (duration: Duration, field: string): number => clock.now() + toMs(duration, field);
  const waitFor = (
    signal: string | Signal,
    options: WaitOptions & CheckedWait<unknown> = {},
  ): Promise<unknown> => {
    refuseUnknown(
      options,
      typeof signal === "string" ? NAMED_WAIT_NAMES : WAIT_NAMES,
      "step.waitFor()",
    );
    const { name, schema } = typeof signal === "string" ? { name: signal, ...options } : signal;
    requireSignalName(name);
    const field = `step.waitFor(${JSON.stringify(name)}) timeout`;
    const untilMs = options.timeout === undefined ? Infinity : after(options.timeout, field);
    return calls.wait(name, untilMs, schema);
  };
  const call = <Input, Parsed, Output>(
    job: JobDefinition<Input, Parsed, Output>,
    input: Input,
    options: CallOptions = {},
  ): Promise<Output> => {
    refuseUnknown(options, CALL_NAMES, "step.call()");
    const { name = job.name, timeout } = options;
    const untilMs = timeout === undefined ? Infinity : after(timeout, `step.call(${name}) timeout`);
    // What the job's own schema has let pass where it was settled.
    return calls.call(name, job, input, untilMs) as Promise<Output>;
  };
  return Object.freeze<Steps>({
    run: (name, fn, checks = {}) => {
      refuseUnknown(checks, RUN_NAMES, "step.run()");
      return calls.run(name, fn, checks);
    },
    sleep: (name, duration) =>
      calls.sleep(name, after(duration, `step.sleep(${JSON.stringify(name)})`)),
    sleepUntil: (name, at) => calls.sleep(name, requireMoment(at, name)),
    waitFor,
    call,
    version: () => calls.version(),
  });
}

/**
 * Epoch milliseconds of what a sleep is given as its end.
 *
 * @throws MillraceError `invalid-step`
 */
export function requireMoment(at: Date | number, name: string): number {
  const ms = at instanceof Date ? at.getTime() : at;
  const isTime = typeof ms === "number" && Number.isFinite(ms) && ms >= 0;
  // Pages and commands show when a sleep ends.
  if (isTime && ms <= LATEST_DATE_MS) return Math.ceil(ms);
  const why = isTime
    ? `was given ${ms}, and the latest date there is has ${LATEST_DATE_MS}. Wait for a signal without a timeout, if there is no end`
    : "needs a Date, or epoch milliseconds";
  throw new MillraceError("invalid-step", `step.sleepUntil(${JSON.stringify(name)}) ${why}.`);
}
