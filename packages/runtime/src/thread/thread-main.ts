import { requireSteps } from "../execution/steps/require-steps.ts";
import { parentPort, workerData } from "node:worker_threads";
import {
  type AnyJob,
  checkProgress,
  type EnqueueItemResult,
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
import { handlersCopy } from "../execution/attempt/handlers-copy.ts";
import { OneTransaction } from "../execution/attempt/one-transaction.ts";
import { collectJobs } from "../registry/collect-jobs.ts";
import { forwardingLogger } from "./forwarding-logger.ts";
import { LeaseInThread } from "./lease-in-thread.ts";
import { NodeOutlet } from "./node-outlet.ts";
import { firstRefusal, packError, packWish, refusalOf } from "./portable.ts";
import type {
  FromThread,
  LeftOut,
  PortableError,
  PortableSent,
  Said,
  ToThread,
} from "./thread-protocol.ts";
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
  /** Of its job. */
  readonly #id: string;
  readonly lease = new LeaseInThread();
  readonly abort = new AbortSwitch(this.lease);
  readonly outlet: NodeOutlet;
  readonly producer: Producer;
  #over = false;
  #hasLeftOut = false;

  constructor({ attempt, envelope }: Order) {
    this.number = attempt;
    this.#id = envelope.id;
    this.outlet = new NodeOutlet(this.say, () => this.#ended(), trace.carry);
    this.producer = new Producer(this.outlet, systemClock);
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** @returns whether the node listens to it */
  readonly say = (said: Said): boolean => {
    if (this.#over) return false;
    port?.postMessage({ ...said, attempt: this.number } satisfies FromThread);
    return true;
  };

  /**
   * Once the attempt is over the node has settled the job, and may run another here. Who does not
   * wait for the promise causes no unhandled rejection then, which would end the thread and that
   * other job's attempt: the node's log says it, once.
   */
  enqueue<Sent>(send: () => Promise<Sent>): Promise<Sent> {
    const sent = this.#over ? Promise.reject<Sent>(this.#ended()) : send();
    const told: Promise<Sent> = sent.then(
      (given) => {
        if (this.#over && Array.isArray(given)) {
          const refused = firstRefusal(given as readonly EnqueueItemResult[]);
          if (refused !== undefined) this.#leaveOut(packError(refused));
        }
        return given;
      },
      (error: unknown) => {
        if (this.#over) {
          told.catch(() => {});
          this.#leaveOut(packError(error));
        }
        throw error;
      },
    );
    return told;
  }

  /**
   * Once the attempt is over nobody is told: in what it has left behind, a refusal that nobody
   * waits for would end the thread.
   */
  answered(call: number, sent: PortableSent): void {
    if (!this.#over) this.outlet.answered(call, sent);
    else this.#leaveOut(refusalOf(sent));
  }

  #ended(): MillraceError {
    return new MillraceError(
      "job-ended",
      `The attempt of ${this.#id} has ended, and enqueues nothing more. In a thread, wait for what a handler enqueues before it returns.`,
    );
  }

  #leaveOut(error: PortableError | undefined): void {
    if (this.#hasLeftOut || error === undefined) return;
    this.#hasLeftOut = true;
    const left: LeftOut = { late: "enqueue", job: this.#id, error };
    port?.postMessage(left);
  }

  end(): void {
    this.#over = true;
    this.abort.rest();
  }
}

let current: AttemptInThread | undefined;
const sayOfCurrent = (said: Said): void => void current?.say(said);
const trace = new ThreadTrace(forwardingLogger(sayOfCurrent));
const strays = new StraySignals((_job, wish) => sayOfCurrent({ say: "stray", wish }));

port.on("message", (message: ToThread) => {
  if (message.do === "run") void run(message);
  else if (message.attempt !== current?.number) return;
  else if (message.do === "enqueued") current.answered(message.call, message.sent);
  else if (!current.isOver) current.abort.abort(message.cause, message.message);
});

async function run(order: Order): Promise<void> {
  const own = (current = new AttemptInThread(order));
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
    own.say(thrown(error));
  }
  own.end();
}

function thrown(error: unknown): Said {
  if (!OutcomeSignal.is(error)) return { say: "threw", error: packError(error) };
  try {
    return { say: "wished", wish: packWish(error.wish) };
  } catch (unreadable) {
    return { say: "threw", error: packError(unreadable) };
  }
}

function contextOf(order: Order, input: unknown, own: AttemptInThread): ExecutionContext {
  const envelope: Envelope = order.envelope;
  const { abort, producer } = own;
  const transaction = new OneTransaction(() => ({ job: envelope, signal: abort.signal }));
  const enqueueing = <Sent>(send: () => Promise<Sent>): Promise<Sent> =>
    own.enqueue(async () => {
      refuseIfLost(abort);
      transaction.refuseEnqueue();
      return send();
    });
  return {
    input,
    signal: abort.signal,
    attempt: envelope.attempts + 1,
    maxAttempts: order.maxAttempts,
    job: handlersCopy(envelope),
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

function sayReturned(job: AnyJob, given: unknown, say: (said: Said) => unknown): void {
  let value = given;
  let why: string | undefined;
  let isSendable = true;
  try {
    value = requireSendable(given, "output");
  } catch (error) {
    isSendable = false;
    why = MillraceError.is(error) ? unserializable(error).reason : undefined;
    // At the node a schema may yet make plain data of it.
    if (job.output === undefined) return void say({ say: "returned-unsendable", why });
  }
  try {
    say({ say: "returned", value });
    // The node's stack may not be deep enough for what nests deeper than can be sent.
    if (!isSendable) say({ say: "ended" });
  } catch {
    say({ say: "returned-unsendable", why });
  }
}
