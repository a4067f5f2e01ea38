import { type Clock, type Envelope, MillraceError, type Stoppable } from "@millrace/core";
import { machineOf } from "../machine/machine.ts";
import { ack, nak } from "../pull/ack.ts";
import type { Delivery } from "../pull/delivery.ts";
import { PullSubscription } from "../pull/pull-subscription.ts";
import type { OutgoingMessage, EditableMessage } from "../publish/batch.ts";
import type { ConfirmedPublisher } from "../publish/confirmed-publisher.ts";
import type { OwnWords } from "../publish/own-words.ts";
import type { EarlierCopies } from "../lookup/earlier-copies.ts";
import type { PubAck } from "../publish/pub-ack.ts";
import { runtimeEnvelope } from "../messages/runtime-envelope.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { ensureMoverConsumer } from "../topology/ensure-consumer.ts";
import { MOVER_CONSUMER } from "../topology/consumer-names.ts";
import type { Names } from "../topology/subjects.ts";
import { type DueJob, readDelayedHeaders } from "../messages/delayed-headers.ts";
import { postponeMs } from "../messages/delayed-message.ts";
import { readPlace } from "../messages/delayed-place.ts";
import { DueTimes } from "./due-times.ts";
import { hasRun } from "../lookup/moved-job-check.ts";
import { forwardHeaders } from "../messages/forward-headers.ts";
import { RoomByBytes } from "./room-by-bytes.ts";

export interface DueMoverOptions {
  readonly server: ServerAccess;
  readonly publisher: ConfirmedPublisher;
  readonly ownWords: OwnWords;
  readonly earlier: EarlierCopies;
  /** Makes the delayed stream again, where it was removed. */
  readonly remakeStreams: () => Promise<void>;
  readonly onProblem: (error: unknown, doing: string) => void;
}

/**
 * A full queue is tried again after this: the job waits in the delayed stream, and nothing is
 * dropped.
 */
const QUEUE_FULL_MS = 1_000;
/**
 * A queue that is gone may come back; a message that can't be forwarded may be mended by an
 * operator.
 */
const HOPELESS_MS = 30_000;
const RETRY_MS = 500;
/**
 * The server lets go of many at once; read in one go they would hold up the event loop, and with it
 * what is due.
 */
const MOST_AT_ONCE = 500;
/** `stopping`: what arrives is kept until no pull is left, else it would come straight back. */
type Phase = "running" | "stopping" | "stopped";

interface Timed {
  readonly delivery: Delivery;
  readonly job: DueJob;
}

/**
 * Forwards delayed jobs to their queues. Takes delayed jobs from the server's schedules, which
 * release them a second early, and postponed messages, which it gives back with a delay. It works
 * on every server version. A timer covers the last stretch. The forward is confirmed before the
 * ack, and its message id makes a second one harmless; so any number of movers may run, and each
 * may die at any point.
 */
export class DueMover implements Stoppable {
  readonly #options: DueMoverOptions;
  readonly #pull: PullSubscription;
  readonly #clock: Clock;
  readonly #timed: DueTimes<Timed>;
  /** Came while stopping. */
  readonly #kept: Delivery[] = [];
  readonly #forwarding = new Set<Promise<void>>();
  readonly #room = new RoomByBytes();
  #phase: Phase = "running";
  #stopping: Promise<void> | undefined;

  static async start(options: DueMoverOptions): Promise<DueMover> {
    return new DueMover(
      options,
      await ensureMoverConsumer(options.server.jsm, options.server.names),
    );
  }

  private constructor(options: DueMoverOptions, leaseMs: number) {
    this.#options = options;
    this.#clock = machineOf(options.server.nc).clock;
    this.#timed = new DueTimes(this.#clock, (due) => this.#startForward(due));
    this.#pull = new PullSubscription({
      nc: options.server.nc,
      stream: options.server.names.delayedStream,
      consumer: MOVER_CONSUMER,
      freeSlots: () => Math.min(this.#room.left(), MOST_AT_ONCE),
      onMessage: (delivery) => this.#take(delivery),
      // A frozen mover's pull is over before the server hands out again what it had.
      expiresMs: leaseMs / 2,
      onConsumerMissing: async () => {
        await options.remakeStreams();
        await ensureMoverConsumer(options.server.jsm, options.server.names);
      },
      onProblem: (error) => options.onProblem(error, "pull delayed jobs"),
    });
  }

  /**
   * What it holds on timers goes back to the server at once, for another mover or the next start.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#phase = "stopping";
    await this.#pull.stop();
    this.#phase = "stopped";
    for (const { delivery } of this.#timed.clear()) this.#giveBack(delivery, 0);
    for (const delivery of this.#kept) this.#giveBack(delivery, 0);
    await Promise.all(this.#forwarding);
  }

  #take(delivery: Delivery): void {
    const job = readDelayedHeaders(delivery.headers);
    if (job === undefined) {
      this.#options.onProblem(
        new MillraceError(
          "invalid-message",
          `The message on ${delivery.subject} lacks the Millrace headers of a delayed job. It stays; remove it, or publish jobs to the queue's own subject.`,
        ),
        "read a delayed job",
      );
      return this.#giveBack(delivery, HOPELESS_MS);
    }
    const now = this.#clock.now();
    const delayMs = postponeMs(job.notBefore, now);
    if (delayMs > 0) return this.#giveBack(delivery, delayMs);
    if (this.#phase === "stopping") return void this.#kept.push(delivery);
    if (this.#phase === "stopped") return this.#giveBack(delivery, 0);
    this.#options.earlier.prepare(job.queue);
    this.#room.take(delivery.data.length);
    this.#timed.add(job.notBefore, { delivery, job });
  }

  /** What was moved, or is late, takes a look first, which must not hold up the rest. */
  #startForward(due: readonly Timed[]): void {
    const { true: looked = [], false: rest = [] } = Object.groupBy(due, (timed) =>
      this.#takesLook(timed) ? "true" : "false",
    );
    if (rest.length > 0) this.#track(this.#forward(rest));
    if (looked.length > 0)
      this.#track(this.#notForwardedBefore(looked).then((jobs) => this.#forward(jobs)));
  }

  #takesLook(timed: Timed): boolean {
    const { queue, movedAfter } = timed.job;
    return movedAfter !== undefined || !this.#options.earlier.isFresh(queue, soonest(timed));
  }

  #track(work: Promise<void>): void {
    const forwarding: Promise<void> = work.finally(() => this.#forwarding.delete(forwarding));
    this.#forwarding.add(forwarding);
  }

  /** Never rejects: whatever goes wrong, the messages stay with the server. */
  async #forward(jobs: readonly Timed[]): Promise<void> {
    const { server, publisher, ownWords } = this.#options;
    await publisher.publishMany(publications(server.names, jobs, ownWords), {
      stored: (ack, index) => {
        const timed = jobs[index] as Timed;
        if (ownWords.mayBeAnothers(ack)) this.#track(this.#insist(timed, ack));
        else this.#end(timed, "forwarded");
      },
      failed: (error, index) => this.#end(jobs[index] as Timed, error),
    });
  }

  /** The id is taken: by this very job, which a mover before this one forwarded, or by another. */
  async #insist(timed: Timed, ack: PubAck): Promise<void> {
    const { server, ownWords } = this.#options;
    const { delivery, job } = timed;
    try {
      const due = server.names.readDue(delivery.subject);
      const publication = forwarded(server.names, timed);
      if (due !== undefined) await ownWords.insist({ publication, job: readPlace(due) }, ack);
      this.#end({ delivery, job }, "forwarded");
    } catch (error) {
      this.#end({ delivery, job }, error);
    }
  }

  /**
   * Without those that are in their queue already, or have run. A mover that had one when it was
   * moved here forwarded it all the same. A mover that died between the forward and the ack left it
   * here.
   */
  async #notForwardedBefore(jobs: readonly Timed[]): Promise<readonly Timed[]> {
    const look = async (timed: Timed): Promise<boolean> => {
      try {
        if (!(await this.#wasForwarded(timed))) return true;
        this.#end(timed, "forwarded");
      } catch (error) {
        this.#end(timed, error);
      }
      return false;
    };
    const isKept = await Promise.all(jobs.map(look));
    return jobs.filter((_, index) => isKept[index] === true);
  }

  async #wasForwarded(timed: Timed): Promise<boolean> {
    const { server, earlier } = this.#options;
    const { delivery, job } = timed;
    const { queue, movedAfter } = job;
    if (server.names.readDue(delivery.subject) === undefined) return false;
    const { data: body, headers, publishedAtMs: storedAt } = delivery;
    const read = (): Envelope | undefined =>
      runtimeEnvelope({ queue, body, headers }, server.maxValues);
    const envelope = movedAfter === undefined ? undefined : read();
    if (envelope !== undefined && (await hasRun(server, envelope, { after: movedAfter ?? 0 })))
      return true;
    return earlier.has({ queue, publishedAt: soonest(timed), storedAt, read });
  }

  #end({ delivery, job }: Timed, outcome: unknown): void {
    const { nc } = this.#options.server;
    if (outcome !== "forwarded") {
      this.#options.onProblem(outcome, `forward a delayed job to the queue ${job.queue}`);
      this.#giveBack(delivery, patienceMs(outcome));
    } else if (!nc.isClosed()) ack(nc, delivery.ackSubject);
    this.#room.free(delivery.data.length);
    this.#pull.slotFreed();
  }

  #giveBack(delivery: Delivery, delayMs: number): void {
    const { nc } = this.#options.server;
    if (!nc.isClosed()) nak(nc, delivery.ackSubject, delayMs);
  }
}

/** No mover has forwarded it before then: epoch milliseconds of the server's clock. */
function soonest({ delivery, job }: Timed): number {
  return Math.max(job.notBefore, delivery.publishedAtMs);
}

function* publications(
  names: Names,
  jobs: readonly Timed[],
  ownWords: OwnWords,
): Generator<OutgoingMessage> {
  for (const timed of jobs) yield ownWords.asBefore(forwarded(names, timed), timed.job.queue);
}

function forwarded(names: Names, { delivery, job }: Timed): EditableMessage {
  const { queue, lane, messageId, reserved } = job;
  const headers = forwardHeaders(delivery.headers, messageId);
  // The door of those that waited at a gate shows no lane.
  if (reserved && lane !== undefined) headers["Millrace-Lane"] = lane;
  return {
    subject: reserved ? names.requeueWoken(queue) : names.requeue(queue, lane),
    data: delivery.data,
    headers,
  };
}

function patienceMs(error: unknown): number {
  if (MillraceError.is(error, "queue-full")) return QUEUE_FULL_MS;
  if (MillraceError.is(error, "queue-not-found") || MillraceError.is(error, "payload-too-large"))
    return HOPELESS_MS;
  return RETRY_MS;
}
