import type { Envelope } from "../envelope/envelope.ts";
import type { Logger } from "../log/logger.ts";
import type { EnqueuedJob, EnqueueItemResult } from "../producer/enqueue-many.ts";
import type { OnceOptions } from "../producer/job-key.ts";
import type { JobDefinition } from "./define-job.ts";
import type { OutcomeSignal } from "./outcome-signal.ts";
import type { TransactionalDatabase } from "./transactional-database.ts";
import type { Steps } from "../steps/steps.ts";

/**
 * Why a handler's signal was aborted: the `reason` of the `AbortSignal` is an `Error` with this as
 * its `code`.
 */
export type AbortCause = "timed-out" | "cancelled" | "shutdown" | "lease-lost" | "lock-lost";

/** What a handler and a middleware see of the attempt they run in. */
export interface ExecutionContext<Input = unknown> {
  /** The payload as the input schema gave it back. */
  readonly input: Input;
  /**
   * Aborted on timeout, cancellation, shutdown past the grace, and when the lease or the
   * singleton's lock is lost. Pass it on to what you call.
   */
  readonly signal: AbortSignal;
  /** 1 for the first. */
  readonly attempt: number;
  readonly maxAttempts: number;
  /** The job as it was enqueued. Read only. */
  readonly job: Envelope;
  /**
   * Fencing token: grows with every run of this job, whichever node it is on. Hand it to what you
   * write to, and let that refuse a smaller one than it has seen; then a run that was paused and
   * superseded can do no harm. Of a singleton job it is the lock's token, which grows with every
   * holder of the lock.
   */
  readonly token: number;
  /** Name of the node that runs the attempt. */
  readonly node: string;
  readonly log: Logger;
  /**
   * Says how far the work is, for whoever looks on from outside (`handle.progress()`,
   * `millrace jobs get`): a share of 1, a count, whatever the job's readers expect, and a note.
   * Costs the handler nothing: it returns at once, and what comes faster than four times a second
   * is passed on four times a second, the last one always. Once the attempt is over it does
   * nothing.
   *
   * @throws MillraceError `invalid-progress` where the value is no number from 0 up, or the note no
   *   text
   * @example
   * progress(done / all, `${done} of ${all} rows`);
   */
  readonly progress: (value: number, note?: string) => void;
  /**
   * Steps that are recorded, and never run again once they are.
   *
   * @throws MillraceError `invalid-step` where the job isn't defined with `steps: true`
   * @example
   * const user = await step.run("create account", () => accounts.create(input));
   * await step.sleep("let it settle", "3d");
   */
  readonly step: Steps;
  /**
   * Enqueues another job, confirmed by the server, and records the two as parent and child. An
   * attempt that is made again enqueues again: give an `id` to what must exist once.
   *
   * @throws MillraceError as the client's `enqueue`; `lease-lost` and `lock-lost` once another may
   *   run this job
   * @example
   * const thumbnail = await enqueue(makeThumbnail, { file }, { id: `${job.id}-thumbnail` });
   */
  readonly enqueue: <Child, Parsed, Output>(
    job: JobDefinition<Child, Parsed, Output>,
    input: NoInfer<Child>,
    options?: OnceOptions,
  ) => Promise<EnqueuedJob>;
  /**
   * Enqueues many. Each is confirmed or has its own error; one that fails does not stop the others.
   */
  readonly enqueueMany: <Child, Parsed, Output>(
    job: JobDefinition<Child, Parsed, Output>,
    items: readonly (OnceOptions & { readonly input: NoInfer<Child> })[],
  ) => Promise<readonly EnqueueItemResult[]>;
  /**
   * Runs the job's effects in a transaction, once: the effects and "this job is done" commit
   * together. Where an earlier run of the job has committed, `act` is not called, and what it
   * returned then is returned. A run that overlaps with another waits for that one's transaction.
   *
   * It throws, and the effects are rolled back, where the run may not end the job any more, because
   * it was cancelled, took too long or lost its lease or lock, and where `act` returns `snooze()`,
   * `retryAfter()`, `cancel()` or `fatal()`; the job then goes on as if they had been thrown.
   *
   * A job has one such transaction: after one that committed, a second is refused.
   *
   * @param db what `createOutbox(…).database(…)` made
   * @param act does all of its work in the transaction. Its outbox enqueues there too, and what it
   *   enqueues becomes a child of this job; `enqueue` of the context is refused meanwhile
   * @throws MillraceError `unserializable-payload` where the output can't be kept; `outbox-failed`;
   *   the reason of `signal`; what `act` and the database throw
   * @example
   * chargeOrder.handler(({ input, transaction }) =>
   *   transaction(shop, async (tx, outbox) => {
   *     await tx.insert(charges).values({ order: input.id });
   *     await outbox.enqueue(sendReceipt, { order: input.id });
   *     return { charged: true };
   *   }),
   * );
   */
  readonly transaction: <Tx, Outbox, Output>(
    db: TransactionalDatabase<Tx, Outbox>,
    act: (tx: Tx, outbox: Outbox) => Promise<Output | OutcomeSignal>,
  ) => Promise<Output>;
}

/**
 * A job's work. What it returns is the result; what it throws fails the attempt; `snooze()`,
 * `fatal()` … do as they say, returned or thrown.
 */
export type Handler<Input, Output> = (context: ExecutionContext<Input>) => Promise<Output> | Output;

/** Wraps every attempt on a node. Must return what `next()` gives, or a replacement. */
export type Middleware = (
  execution: ExecutionContext,
  next: () => Promise<unknown>,
) => Promise<unknown>;
