import { MillraceError, type Stoppable, systemClock, type Timer } from "@millrace/core";
import { ack, nak } from "../pull/ack.ts";
import type { Delivery } from "../pull/delivery.ts";
import { PullSubscription } from "../pull/pull-subscription.ts";
import type { ConfirmedPublisher } from "../publish/confirmed-publisher.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { ensureMoverConsumer } from "../topology/ensure-consumer.ts";
import { MOVER_CONSUMER } from "../topology/subjects.ts";
import { type DueJob, readDelayedHeaders } from "./delayed-headers.ts";
import { parkingMs } from "./delayed-message.ts";
import { hasRun } from "./has-run.ts";
import { forwardHeaders } from "./forward-headers.ts";
import { RoomByBytes } from "./room-by-bytes.ts";

export interface DueMoverOptions {
  readonly server: ServerAccess;
  readonly publisher: ConfirmedPublisher;
  readonly onProblem: (error: unknown, doing: string) => void;
}

/** A full queue is tried again after this: the job waits in the delayed stream, and nothing is dropped. */
const QUEUE_FULL_MS = 1_000;
/** A queue that is gone may come back; a message that can't be forwarded may be mended by an operator. */
const HOPELESS_MS = 30_000;
const RETRY_MS = 500;
/** A timer may fire a little early, and a job must not reach its queue before its time. */
const TIMER_SLACK_MS = 1;

/** `stopping`: what arrives is kept until no pull is left, else it would come straight back. */
type Phase = "running" | "stopping" | "stopped";

const NEVER: Timer = { cancel: () => {} };

/**
 * Forwards delayed jobs to their queues. Takes both forms, whatever the server: those that its schedules release half a second early,
 * and those that are parked, by giving them back with a delay. The last stretch is a timer's. The forward is confirmed before the ack,
 * and its message id makes a second one harmless; so any number of movers may run, and each may die at any point.
 */
export class DueMover implements Stoppable {
  readonly #options: DueMoverOptions;
  readonly #pull: PullSubscription;
  readonly #held = new Map<Delivery, Timer>();
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
    this.#pull = new PullSubscription({
      nc: options.server.nc,
      stream: options.server.names.delayedStream,
      consumer: MOVER_CONSUMER,
      freeSlots: () => this.#room.left(),
      onMessage: (delivery) => this.#take(delivery),
      // A frozen mover's pull is over before the server hands out again what it held.
      expiresMs: leaseMs / 2,
      onConsumerMissing: async () =>
        void (await ensureMoverConsumer(options.server.jsm, options.server.names)),
      onProblem: (error) => options.onProblem(error, "pull delayed jobs"),
    });
  }

  /** What it holds on timers goes back to the server at once, for another mover or the next start. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#phase = "stopping";
    await this.#pull.stop();
    this.#phase = "stopped";
    for (const [delivery, timer] of this.#held) {
      timer.cancel();
      this.#giveBack(delivery, 0);
    }
    this.#held.clear();
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
    const now = systemClock.now();
    const parking = parkingMs(job.notBefore, now);
    if (parking > 0) return this.#giveBack(delivery, parking);
    if (this.#phase === "stopping") return void this.#held.set(delivery, NEVER);
    if (this.#phase === "stopped") return this.#giveBack(delivery, 0);
    this.#room.take(delivery.data.length);
    const dueInMs = job.notBefore - now;
    if (dueInMs <= 0) return this.#startForward(delivery, job);
    this.#held.set(
      delivery,
      systemClock.setTimer(dueInMs + TIMER_SLACK_MS, () => this.#startForward(delivery, job)),
    );
  }

  #startForward(delivery: Delivery, job: DueJob): void {
    this.#held.delete(delivery);
    const forwarding: Promise<void> = this.#forward(delivery, job).finally(() => {
      this.#forwarding.delete(forwarding);
      this.#room.free(delivery.data.length);
      this.#pull.slotFreed();
    });
    this.#forwarding.add(forwarding);
  }

  /** Never rejects: whatever goes wrong, the message stays with the server. */
  async #forward(delivery: Delivery, job: DueJob): Promise<void> {
    const { server, publisher, onProblem } = this.#options;
    try {
      if (job.movedAfter !== undefined && (await this.#ranBefore(delivery, job.movedAfter)))
        return ack(server.nc, delivery.ackSubject);
      await publisher.publish(
        server.names.requeue(job.queue, job.lane),
        delivery.data,
        forwardHeaders(delivery.headers, job.messageId),
      );
      if (!server.nc.isClosed()) ack(server.nc, delivery.ackSubject);
    } catch (error) {
      onProblem(error, `forward a delayed job to the queue ${job.queue}`);
      this.#giveBack(delivery, patienceMs(error));
    }
  }

  /** Of the few that were moved: whether the mover that held the job at that moment forwarded it all the same. */
  #ranBefore({ subject }: Delivery, movedAfter: number): Promise<boolean> {
    const { server } = this.#options;
    const job = server.names.readDue(subject);
    return job === undefined ? Promise.resolve(false) : hasRun(server, job, movedAfter);
  }

  #giveBack(delivery: Delivery, delayMs: number): void {
    const { nc } = this.#options.server;
    if (!nc.isClosed()) nak(nc, delivery.ackSubject, delayMs);
  }
}

function patienceMs(error: unknown): number {
  if (MillraceError.is(error, "queue-full")) return QUEUE_FULL_MS;
  if (MillraceError.is(error, "queue-not-found") || MillraceError.is(error, "payload-too-large"))
    return HOPELESS_MS;
  return RETRY_MS;
}
