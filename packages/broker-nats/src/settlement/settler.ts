import {
  type EncodeRules,
  type Envelope,
  type Lease,
  MillraceError,
  type SettlementStep,
  type Clock,
} from "@millrace/core";
import { blockedMessage, wokenRoom } from "../messages/blocked-message.ts";
import { machineOf } from "../machine/machine.ts";
import { asMillraceError } from "../jetstream-errors.ts";
import { forwardRoom } from "../messages/delayed-headers.ts";
import { delayedMessage } from "../messages/delayed-message.ts";
import type { Delays } from "../delayed/delays.ts";
import type { Requester } from "../requests/in-flight-request.ts";
import { ack } from "../pull/ack.ts";
import type { OutgoingMessage, EditableMessage } from "../publish/batch.ts";
import type { ConfirmedPublisher } from "../publish/confirmed-publisher.ts";
import type { FastBatches } from "../publish/fast-batches.ts";
import type { OwnWords } from "../publish/own-words.ts";
import type { PubAck } from "../publish/pub-ack.ts";
import type { ServerAccess } from "../store/server-access.ts";
import type { SizeLimits } from "../topology/size-limits.ts";
import type { NatsDelivery } from "../work/nats-delivery.ts";
import type { JobEnds } from "./job-ends.ts";
import { buriedId, writeDeadLetterHeaders } from "../messages/dead-letter-headers.ts";
import { requeueMessage } from "../messages/envelope-message.ts";
import { leaseOver, revokedWith } from "./lease-over.ts";
import { type RecordStep, RecordWriter } from "./record-writer.ts";

export interface SettlerOptions {
  readonly server: ServerAccess;
  readonly publisher: ConfirmedPublisher;
  readonly records: FastBatches;
  readonly ownWords: OwnWords;
  readonly ends: JobEnds;
  readonly delays: Delays;
  readonly limits: SizeLimits;
  /** Makes the runtime's own streams again, where one of them was removed. */
  readonly remakeStreams: () => Promise<void>;
}

type RequeueStep = Extract<SettlementStep, { readonly do: "requeue" | "enqueue" }>;
type BuryStep = Extract<SettlementStep, { readonly do: "bury" }>;

/** Carries out settlements: says what each step publishes, and has the steps run in order. */
export class Settler {
  readonly #options: SettlerOptions;
  readonly #records: RecordWriter;
  readonly #clock: Clock;

  constructor(options: SettlerOptions) {
    this.#options = options;
    this.#records = new RecordWriter(options);
    this.#clock = machineOf(options.server.nc).clock;
  }

  settle(delivery: NatsDelivery, steps: readonly SettlementStep[]): Promise<void> {
    // A holder that settles nothing lets go: the message comes again when its lease runs out.
    if (steps.length === 0) delivery.lease.end();
    return new Promise((resolve, reject) =>
      new SettlementRun(this, delivery, steps, resolve, reject).goOn(),
    );
  }

  /** Publishes an envelope where only the runtime may, now or for its time. */
  async requeue(envelope: Envelope, lease?: Lease): Promise<PubAck> {
    const revoked = revokedWith(lease, `the job ${envelope.id} is published`);
    const words = { publication: this.#requeued(envelope), job: envelope, revoked };
    try {
      return await this.#options.ownWords.publish(words);
    } catch (error) {
      if (!this.isStreamGone(error, { do: "requeue", envelope })) throw error;
      await this.remakeStreams();
      return this.#options.ownWords.publish(words);
    }
  }

  /**
   * Whether a step's acknowledgement does not show that it is done: its id may be somebody else's.
   */
  mayBeAnothers(step: SettlementStep, ack: PubAck): step is RequeueStep {
    return (
      (step.do === "requeue" || step.do === "enqueue") && this.#options.ownWords.mayBeAnothers(ack)
    );
  }

  /** Looks at what is there instead, and publishes the job until it is what is there. */
  async insist(
    envelope: Envelope,
    ack: PubAck,
    revoked: () => MillraceError | undefined,
  ): Promise<void> {
    const publication = this.#requeued(envelope);
    await this.#options.ownWords.insist({ publication, job: envelope, revoked }, ack);
  }

  /** Whether a stream of the runtime's own is missing, and not the queue that a job is for. */
  isStreamGone(error: unknown, step: SettlementStep): boolean {
    if (!MillraceError.is(error, "queue-not-found")) return false;
    const isForQueue = step.do === "requeue" || step.do === "enqueue";
    return !isForQueue || (step.envelope.notBefore ?? 0) > this.#clock.now();
  }

  /** @throws MillraceError `already-ended` */
  recordAfterLast(step: RecordStep, delivery: NatsDelivery): Promise<void> {
    return this.#records.recordAfterLast(step, () => overFor(delivery));
  }

  remakeStreams(): Promise<void> {
    return this.#options.remakeStreams();
  }

  /** @param index the step's place in its settlement */
  send(
    step: Exclude<SettlementStep, { readonly do: "ack" }>,
    delivery: NatsDelivery,
    index: number,
    requester: Requester<PubAck>,
  ): void {
    const { publisher, records } = this.#options;
    const way = step.do === "record" ? records : publisher;
    way.send(this.#publication(step, delivery), requester, index);
  }

  ack({ ackSubject, lease }: NatsDelivery): void {
    try {
      ack(this.#options.server.nc, ackSubject);
    } catch (error) {
      throw asMillraceError(error, "ack a job");
    }
    lease.end();
  }

  #publication(
    step: Exclude<SettlementStep, { readonly do: "ack" }>,
    delivery: NatsDelivery,
  ): OutgoingMessage {
    const { ownWords, server } = this.#options;
    switch (step.do) {
      case "requeue":
        return ownWords.asBefore(this.#requeued(step.envelope), step.envelope.queue);
      // On the runtime's subject too: a chain that has begun goes on while its queue takes nothing
      // new. Its payload is a handler's result.
      case "enqueue": {
        const rules = { maxValues: server.maxValues, exact: false, wellFormed: true };
        return ownWords.asBefore(this.#requeued(step.envelope, rules), step.envelope.queue);
      }
      case "block":
        return this.#blocked(step.envelope, step.gate);
      case "bury":
        return this.#buried(delivery, step);
      case "record":
        return this.#records.publication(step);
    }
  }

  #requeued(envelope: Envelope, rules?: EncodeRules): EditableMessage {
    const { server, delays, limits } = this.#options;
    // Judged by the queue's limit in any case: a delayed job must fit into its queue when it is
    // due.
    const { notBefore } = envelope;
    const room = limits.queue - (notBefore === undefined ? 0 : forwardRoom(envelope));
    const requeue = requeueMessage(envelope, server.names, room, rules);
    const way = { now: this.#clock.now(), schedules: delays.schedules };
    return notBefore === undefined || notBefore <= way.now
      ? requeue
      : delayedMessage(requeue, envelope, notBefore, server.names, way);
  }

  #blocked(envelope: Envelope, gate: string): OutgoingMessage {
    const { server, limits } = this.#options;
    // Judged by what it will be: the queue refuses one that is let in and too large, for ever.
    const room = limits.queue - wokenRoom(envelope, gate);
    const requeue = requeueMessage(envelope, server.names, room);
    return blockedMessage(requeue, envelope, gate, server.names);
  }

  #buried({ message }: NatsDelivery, { letter, once }: BuryStep): OutgoingMessage {
    const { server, limits } = this.#options;
    const headers = {
      ...writeDeadLetterHeaders(letter, limits.server),
      // `0` is the job itself; others are what was to follow it.
      "Nats-Msg-Id":
        once === undefined ? `${buriedId(message)}0` : `dead/${letter.queue}/${letter.id}/${once}`,
    };
    return { subject: server.names.dead(letter.queue, letter.id), data: letter.body, headers };
  }
}

/**
 * One settlement on its way: each step confirmed before the next. The lease is asked right before
 * each step, with nothing between the answer and the write. The ack is not confirmed: one that is
 * lost brings the message back, and its record says that it is settled.
 *
 * What was confirmed is not done again when the settlement is tried again. The message id would
 * swallow it, but a server that was restarted meanwhile has forgotten the id of what has left its
 * stream: a retry that has run, a delayed job that was moved.
 *
 * An object that is called back instead of an async function with a promise for each step: this is
 * done for every job.
 */
class SettlementRun implements Requester<PubAck> {
  readonly #settler: Settler;
  readonly #delivery: NatsDelivery;
  readonly #steps: readonly SettlementStep[];
  readonly #resolve: () => void;
  readonly #reject: (error: unknown) => void;
  #index = 0;
  /** Once in a run: what is refused after that has another reason. */
  #hasRemade = false;

  constructor(
    settler: Settler,
    delivery: NatsDelivery,
    steps: readonly SettlementStep[],
    resolve: () => void,
    reject: (error: unknown) => void,
  ) {
    this.#settler = settler;
    this.#delivery = delivery;
    this.#steps = steps;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Takes the steps up to the next one that must be confirmed. */
  goOn(): void {
    try {
      for (; this.#index < this.#steps.length; this.#index += 1) {
        const step = this.#steps[this.#index] as SettlementStep;
        if (this.#delivery.confirmed?.includes(step) === true) continue;
        const over = this.revoked();
        if (over !== undefined) throw over;
        if (step.do !== "ack") return this.#settler.send(step, this.#delivery, this.#index, this);
        this.#settler.ack(this.#delivery);
      }
      // The rest of it comes in another call.
      if (this.#steps.at(-1)?.do !== "ack") this.#note();
      this.#resolve();
    } catch (error) {
      this.#fail(error);
    }
  }

  done(ack: PubAck): void {
    const step = this.#steps[this.#index];
    if (ack.duplicate && step !== undefined && this.#settler.mayBeAnothers(step, ack))
      return void this.#confirmBy(
        this.#settler.insist(step.envelope, ack, () => this.revoked()),
        "look at what is there already",
      );
    this.#index += 1;
    this.goOn();
  }

  failed(said: MillraceError): void {
    const step = this.#steps[this.#index];
    if (step?.do === "record" && MillraceError.is(said, "conflict"))
      return void this.#confirmBy(
        this.#settler.recordAfterLast(step, this.#delivery),
        "record the end of a job",
      );
    if (step === undefined || this.#hasRemade || !this.#settler.isStreamGone(said, step))
      return this.#fail(said);
    this.#hasRemade = true;
    this.#settler.remakeStreams().then(
      () => this.goOn(),
      (error: unknown) => this.#fail(error),
    );
  }

  /** The server's answer alone does not confirm the step. */
  async #confirmBy(further: Promise<void>, doing: string): Promise<void> {
    try {
      await further;
    } catch (error) {
      return this.failed(asMillraceError(error, doing));
    }
    this.#index += 1;
    this.goOn();
  }

  #fail(error: unknown): void {
    this.#note();
    this.#reject(error);
  }

  /** A step that was not confirmed in time is sent again only by who may still settle the job. */
  revoked(): MillraceError | undefined {
    return overFor(this.#delivery);
  }

  /**
   * For the next try, or the next call: a settlement that goes through in one has nothing to note.
   */
  #note(): void {
    const { confirmed = [] } = this.#delivery;
    this.#delivery.confirmed = [...confirmed, ...this.#steps.slice(0, this.#index)];
  }
}

function overFor({ lease, message }: NatsDelivery): MillraceError | undefined {
  return lease.isHeld()
    ? undefined
    : leaseOver(`the message ${message.sequence} of the queue ${message.queue} is settled`);
}
