import { requireSteps } from "../execution/steps/require-steps.ts";
import { parentPort, workerData } from "node:worker_threads";
import {
  type AnyJob,
  checkProgress,
  type Envelope,
  type ExecutionContext,
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
import { forwardingLogger } from "./forwarding-logger.ts";
import { LeaseInThread } from "./lease-in-thread.ts";
import { NodeOutlet } from "./node-outlet.ts";
import { packError, packWish } from "./portable.ts";
import type { FromThread, Said, ToThread } from "./thread-protocol.ts";
import { ThreadTrace } from "./thread-trace.ts";

type Order = Extract<ToThread, { do: "run" }>;

/** The far side of `ThreadPool`: imports one job file and runs one attempt at a time. */

const port = parentPort;
if (port === null) throw new Error("thread-main runs in a worker thread only");
const { module } = workerData as { module: string };
const jobs: readonly AnyJob[] = collectJobs((await import(module)) as object);

/** What a handler's context does. What the handler has left behind goes on using it. */
class AttemptInThread {
  readonly number: number;
  readonly lease = new LeaseInThread();
  readonly abort = new AbortSwitch(this.lease);
  readonly outlet: NodeOutlet;
  readonly producer: Producer;
  #over = false;

  constructor(number: number) {
    this.number = number;
    this.outlet = new NodeOutlet(this.say, trace.carry);
    this.producer = new Producer(this.outlet, systemClock);
  }

  get isOver(): boolean {
    return this.#over;
  }

  readonly say = (said: Said): void => {
    if (this.#over) return;
    port?.postMessage({ ...said, attempt: this.number } satisfies FromThread);
  };

  end(): void {
    this.#over = true;
    this.abort.rest();
  }
}

let current: AttemptInThread | undefined;
const sayOfCurrent = (said: Said): void => current?.say(said);
const trace = new ThreadTrace(forwardingLogger(sayOfCurrent));
const strays = new StraySignals((_job, wish) => sayOfCurrent({ say: "stray", wish }));

port.on("message", (message: ToThread) => {
  if (message.do === "run") void run(message);
  // For one that is over it comes too late: a refusal that nobody waits for would end the thread.
  else if (current === undefined || current.isOver || message.attempt !== current.number) return;
  else if (message.do === "abort") current.abort.abort(message.cause, message.message);
  else current.outlet.answered(message.call, message.sent);
});

async function run(order: Order): Promise<void> {
  const own = (current = new AttemptInThread(order.attempt));
  own.say({ say: "begun" });
  try {
    await own.lease.load(order.lease);
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
    if (OutcomeSignal.is(given)) own.say({ say: "wished", wish: packWish(given.wish) });
    else sayReturned(job, given, own.say);
  } catch (error) {
    own.say(
      OutcomeSignal.is(error)
        ? { say: "wished", wish: packWish(error.wish) }
        : { say: "threw", error: packError(error) },
    );
  }
  own.end();
}

function contextOf(order: Order, input: unknown, own: AttemptInThread): ExecutionContext {
  const envelope: Envelope = order.envelope;
  const { abort, producer } = own;
  const transaction = new OneTransaction(() => ({ job: envelope, signal: abort.signal }));
  const enqueueing = <Sent>(send: () => Promise<Sent>): Promise<Sent> =>
    own.isOver
      ? tooLate(envelope)
      : (async () => {
          refuseIfLost(abort);
          transaction.refuseEnqueue();
          return send();
        })();
  return {
    input,
    signal: abort.signal,
    attempt: envelope.attempts + 1,
    maxAttempts: order.maxAttempts,
    job: envelope,
    token: order.token,
    node: order.node,
    log: forwardingLogger(own.say),
    progress: (value, note) => {
      // Checked here as well, so that what is wrong is thrown where the handler can see it.
      checkProgress(value, note);
      if (abort.look()?.code === "lease-lost") return;
      own.say({ say: "progress", value, note });
    },
    get step() {
      return requireSteps(envelope.name);
    },
    // The node knows the parent, and adds it.
    enqueue: (job, input, options) => enqueueing(() => producer.enqueue(job, input, options)),
    enqueueMany: (job, items) => enqueueing(() => producer.enqueueMany(job, items)),
    transaction: transaction.begin,
  };
}

/** As the node would, but before the thread has made anything. */
function refuseIfLost(abort: AbortSwitch): void {
  const reason = abort.look();
  if (reason?.code === "lease-lost") throw reason;
}

/**
 * The node has settled the job, and may run another here. Who does not wait for the promise causes
 * no unhandled rejection, which would end the thread and that other job's attempt.
 */
function tooLate({ id }: Envelope): Promise<never> {
  const refused = Promise.reject<never>(
    new MillraceError(
      "job-ended",
      `The attempt of ${id} has ended, and enqueues nothing more. In a thread, wait for what a handler enqueues before it returns.`,
    ),
  );
  refused.catch(() => {});
  return refused;
}

function sayReturned(job: AnyJob, given: unknown, say: (said: Said) => void): void {
  let value = given;
  let why: string | undefined;
  let isSendable = true;
  try {
    value = requireSendable(given, "output");
  } catch (error) {
    isSendable = false;
    why = MillraceError.is(error) ? unserializable(error).reason : undefined;
    // At the node a schema may yet make plain data of it.
    if (job.output === undefined) return say({ say: "returned-unsendable", why });
  }
  try {
    say({ say: "returned", value });
    // The node's stack may not be deep enough for what nests deeper than can be sent.
    if (!isSendable) say({ say: "ended" });
  } catch {
    say({ say: "returned-unsendable", why });
  }
}
