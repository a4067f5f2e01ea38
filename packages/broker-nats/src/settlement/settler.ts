import {
  type DeadLetter,
  type Envelope,
  type HistoryRecord,
  MillraceError,
  type SettlementStep,
  systemClock,
} from "@millrace/core";
import { asMillraceError } from "../jetstream-errors.ts";
import { heldMessage } from "../held/held-message.ts";
import { delayedMessage } from "../delayed/delayed-message.ts";
import type { Delays } from "../delayed/delays.ts";
import { ack } from "../pull/ack.ts";
import type { ConfirmedPublisher } from "../publish/confirmed-publisher.ts";
import type { PubAck } from "../publish/pub-ack.ts";
import type { ServerAccess } from "../store/server-access.ts";
import type { SizeLimits } from "../topology/size-limits.ts";
import type { NatsDelivery } from "../work/nats-delivery.ts";
import { writeDeadLetterHeaders } from "./dead-letter-headers.ts";
import { requeueMessage } from "./envelope-message.ts";
import { writeHistoryRecord } from "./history-message.ts";

/** Subject and framing around a record's body. */
const RECORD_ROOM = 1024;

export interface SettlerOptions {
  readonly server: ServerAccess;
  readonly publisher: ConfirmedPublisher;
  readonly delays: Delays;
  readonly limits: SizeLimits;
}

/**
 * Carries out a settlement's steps, each confirmed before the next. The lease is asked right before each step, with nothing between the
 * answer and the write. The ack is not confirmed: one that is lost brings the message back, and its record says that it is settled.
 */
export class Settler {
  readonly #options: SettlerOptions;

  constructor(options: SettlerOptions) {
    this.#options = options;
  }

  async settle(delivery: NatsDelivery, steps: readonly SettlementStep[]): Promise<void> {
    for (let index = 0; index < steps.length; index += 1) {
      const step = steps[index] as SettlementStep;
      requireHeld(delivery);
      switch (step.do) {
        case "requeue":
          await this.requeue(step.envelope);
          break;
        case "hold":
          await this.#hold(step.envelope, step.gate);
          break;
        case "enqueue":
          // On the runtime's subject: a chain that has begun goes on while its queue takes nothing new.
          await this.requeue(step.envelope);
          break;
        case "bury":
          await this.#bury(delivery, step.letter, index);
          break;
        case "record":
          await this.#record(step.record);
          break;
        case "ack":
          this.#ack(delivery);
          break;
      }
    }
    // A holder that settles nothing lets go: the message comes again when its lease runs out.
    if (steps.length === 0) delivery.lease.end();
  }

  /** Publishes an envelope where only the runtime may, now or for its time. */
  async requeue(envelope: Envelope): Promise<void> {
    const { server, publisher, delays, limits } = this.#options;
    // Judged by the queue's limit in any case: a delayed job must fit into its queue when it is due.
    const requeue = requeueMessage(envelope, server.names, limits.queue);
    const now = systemClock.now();
    const { notBefore } = envelope;
    const message =
      notBefore === undefined || notBefore <= now
        ? requeue
        : delayedMessage(requeue, envelope, notBefore, server.names, {
            now,
            schedules: delays.schedules,
          });
    await publisher.publish(message.subject, message.data, message.headers);
  }

  async #hold(envelope: Envelope, gate: string): Promise<void> {
    const { server, publisher, limits } = this.#options;
    const requeue = requeueMessage(envelope, server.names, limits.queue);
    const { subject, data, headers } = heldMessage(requeue, envelope, gate, server.names);
    await publisher.publish(subject, data, headers);
  }

  async #bury({ message }: NatsDelivery, letter: DeadLetter, index: number): Promise<void> {
    const { server, publisher, limits } = this.#options;
    const headers = {
      ...writeDeadLetterHeaders(letter, limits.server),
      // The same however often the settlement is repeated. The time as well as the place: a queue that is removed and made again
      // counts from 1.
      "Nats-Msg-Id": `dead/${message.queue}/${message.sequence}/${message.storedAt}/${index}`,
    };
    await publisher.publish(server.names.dead(letter.queue, letter.id), letter.body, headers);
  }

  #record(record: HistoryRecord): Promise<PubAck> {
    const { server, publisher, limits } = this.#options;
    return publisher.publish(
      server.names.history(record.queue, record.id, record.state),
      writeHistoryRecord(record, limits.server - RECORD_ROOM),
      undefined,
    );
  }

  #ack({ lease, ackSubject }: NatsDelivery): void {
    try {
      ack(this.#options.server.nc, ackSubject);
    } catch (error) {
      throw asMillraceError(error, "ack a job");
    }
    lease.end();
  }
}

function requireHeld({ lease, message }: NatsDelivery): void {
  if (lease.isHeld()) return;
  throw new MillraceError(
    "lease-lost",
    `The lease of the message ${message.sequence} of the queue ${message.queue} is over, or it is settled: another node may hold the job. Settle nothing more of it.`,
  );
}
