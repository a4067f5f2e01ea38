import { requireSteps } from "../execution/steps/require-steps.ts";
import { parentPort, workerData } from "node:worker_threads";
import {
  type AnyJob,
  checkProgress,
  type Envelope,
  type ExecutionContext,
  type Logger,
  MillraceError,
  OutcomeSignal,
  Producer,
  requireSendable,
  systemClock,
  unserializable,
  validate,
} from "@millrace/core";
import { AbortSwitch } from "../execution/attempt/abort-switch.ts";
import { StraySignals } from "../execution/attempt/stray-signals.ts";
import { OneTransaction } from "../execution/attempt/one-transaction.ts";
import { collectJobs } from "../registry/collect-jobs.ts";
import { LeaseInThread } from "./lease-in-thread.ts";
import { NodeOutlet } from "./node-outlet.ts";
import { packError, packWish } from "./portable.ts";
import type { FromThread, ToThread } from "./thread-protocol.ts";
import { ThreadTrace } from "./thread-trace.ts";

type LogLevel = Extract<FromThread, { say: "log" }>["level"];

/** The far side of `ThreadPool`: imports one job file and runs one attempt at a time. */

const port = parentPort;
if (port === null) throw new Error("thread-main runs in a worker thread only");
const { module } = workerData as { module: string };
const jobs: readonly AnyJob[] = collectJobs((await import(module)) as object);
let abort = new AbortSwitch();
const trace = new ThreadTrace(forwardingLogger({}));
const strays = new StraySignals((_job, wish) => say({ say: "stray", wish }));
const outlet = new NodeOutlet(say, trace.carry);
const producer = new Producer(outlet, systemClock);

port.on("message", (message: ToThread) => {
  if (message.do === "abort") abort.abort(message.cause, message.message);
  else if (message.do === "enqueued") outlet.answered(message.call, message.sent);
  else void run(message);
});

async function run(order: Extract<ToThread, { do: "run" }>): Promise<void> {
  say({ say: "begun" });
  const lease = new LeaseInThread();
  const own = (abort = new AbortSwitch(lease));
  try {
    await lease.load(order.lease);
    const job = jobs.find(({ name }) => name === order.name);
    if (job === undefined) throw new Error(`${module} exports no job called ${order.name}`);
    const input: unknown =
      job.input === undefined
        ? order.envelope.payload
        : await validate<unknown>(
            job.input,
            order.envelope.payload,
            "invalid-payload",
            `The payload of ${order.name}`,
          );
    const context = contextOf(order, input, own);
    const given: unknown = await trace.run(order.trace, () => strays.call(job, context));
    if (OutcomeSignal.is(given)) say({ say: "wished", wish: packWish(given.wish) });
    else sayReturned(job, given);
  } catch (error) {
    say(
      OutcomeSignal.is(error)
        ? { say: "wished", wish: packWish(error.wish) }
        : { say: "threw", error: packError(error) },
    );
  }
  own.rest();
}

function contextOf(
  order: Extract<ToThread, { do: "run" }>,
  input: unknown,
  own: AbortSwitch,
): ExecutionContext {
  const envelope: Envelope = order.envelope;
  const transaction = new OneTransaction(() => ({ job: envelope, signal: own.signal }));
  return {
    input,
    signal: own.signal,
    attempt: envelope.attempts + 1,
    maxAttempts: order.maxAttempts,
    job: envelope,
    token: order.token,
    node: order.node,
    log: forwardingLogger({}),
    progress: (value, note) => {
      // Checked here as well, so that what is wrong is thrown where the handler can see it.
      checkProgress(value, note);
      if (own.look()?.code === "lease-lost") return;
      say({ say: "progress", value, note });
    },
    get step() {
      return requireSteps(envelope.name);
    },
    // The node knows the parent, and adds it.
    enqueue: async (job, input, options) => {
      refuseIfLost(own);
      transaction.refuseEnqueue();
      return producer.enqueue(job, input, options);
    },
    enqueueMany: async (job, items) => {
      refuseIfLost(own);
      transaction.refuseEnqueue();
      return producer.enqueueMany(job, items);
    },
    transaction: transaction.begin,
  };
}

/** As the node would, but before the thread has made anything. */
function refuseIfLost(own: AbortSwitch): void {
  const reason = own.look();
  if (reason?.code === "lease-lost") throw reason;
}

function sayReturned(job: AnyJob, given: unknown): void {
  let value = given;
  let why: string | undefined;
  try {
    value = requireSendable(given, "output");
  } catch (error) {
    why = MillraceError.is(error) ? unserializable(error).reason : undefined;
    // At the node a schema may yet make plain data of it.
    if (job.output === undefined) return say({ say: "returned-unsendable", why });
  }
  try {
    say({ say: "returned", value });
  } catch {
    say({ say: "returned-unsendable", why });
  }
}

function forwardingLogger(bound: object): Logger {
  const forward =
    (level: LogLevel) =>
    (fields: object, message: string): void =>
      sayLogged(level, { ...bound, ...fields }, message);
  return {
    debug: forward("debug"),
    info: forward("info"),
    warn: forward("warn"),
    error: forward("error"),
    child: (fields) => forwardingLogger({ ...bound, ...fields }),
  };
}

/**
 * What can't leave the thread is told in the form that JSON has for it; a log line must not fail a
 * job.
 */
function sayLogged(level: LogLevel, fields: object, message: string): void {
  try {
    say({ say: "log", level, fields, message });
  } catch {
    say({ say: "log", level, fields: plainFields(fields), message });
  }
}

function plainFields(fields: object): object {
  try {
    return JSON.parse(JSON.stringify(fields)) as object;
  } catch {
    return { unloggable: Object.keys(fields) };
  }
}

function say(message: FromThread): void {
  port?.postMessage(message);
}
