import { MillraceError, type SignalRef, type Stoppable } from "@millrace/core";
import { isClustered } from "../connection/retrying-requests.ts";
import { machineOf } from "../machine/machine.ts";
import { ack, nak } from "../pull/ack.ts";
import type { Delivery } from "../pull/delivery.ts";
import { PullSubscription } from "../pull/pull-subscription.ts";
import { ensureSignalConsumer } from "../topology/ensure-consumer.ts";
import { WAKER_CONSUMER } from "../topology/consumer-names.ts";
import type { ServerAccess } from "./server-access.ts";

export interface SignalFollowerOptions {
  readonly server: ServerAccess;
  readonly hear: (signal: SignalRef) => Promise<void>;
  /** Makes the stream again, where it was removed. */
  readonly remake: () => Promise<void>;
  readonly onProblem: (error: unknown, doing: string) => void;
}

/** So many are looked at side by side: each costs some requests and no processor time. */
const SLOTS = 64;
const AGAIN_AFTER_MS = 1_000;
/**
 * In a cluster a job is looked for once more, if its signal is still there then: a leader that was
 * cut off, or stood still, answers for up to 20 s as if nothing had come since.
 */
const SECOND_LOOK_MS = 30_000;
/** Where this clock and the server's are far apart. */
const MOST_LOOKS = 10;

/** Hears of signals with all other nodes, each of one of them. */
export class SignalFollower implements Stoppable {
  readonly #options: SignalFollowerOptions;
  readonly #pull: PullSubscription;
  readonly #hearing = new Set<Promise<void>>();

  static async start(options: SignalFollowerOptions): Promise<SignalFollower> {
    const { jsm, names } = options.server;
    await ensureSignalConsumer(jsm, names);
    return new SignalFollower(options);
  }

  private constructor(options: SignalFollowerOptions) {
    this.#options = options;
    const { nc, jsm, names } = options.server;
    this.#pull = new PullSubscription({
      nc,
      stream: names.signalStream,
      consumer: WAKER_CONSUMER,
      freeSlots: () => SLOTS - this.#hearing.size,
      onMessage: (delivery) => this.#take(delivery),
      onConsumerMissing: async () => {
        await options.remake();
        await ensureSignalConsumer(jsm, names);
      },
      onProblem: (error) => options.onProblem(error, "pull signals"),
    });
  }

  async stop(): Promise<void> {
    await this.#pull.stop();
    await Promise.all(this.#hearing);
  }

  #take(delivery: Delivery): void {
    const hearing = this.#hear(delivery).finally(() => {
      this.#hearing.delete(hearing);
      this.#pull.slotFreed();
    });
    this.#hearing.add(hearing);
  }

  /** Never rejects: whatever goes wrong, the signal is told of again. */
  async #hear({ subject, ackSubject, publishedAtMs, deliveryCount }: Delivery): Promise<void> {
    const { server, hear, onProblem } = this.#options;
    const { nc, names } = server;
    try {
      const signal = names.readSignal(subject);
      if (signal !== undefined) await hear(signal);
      if (nc.isClosed()) return;
      const ageMs = machineOf(nc).clock.now() - publishedAtMs;
      const isDone = ageMs >= SECOND_LOOK_MS || deliveryCount > MOST_LOOKS || !isClustered(nc);
      if (isDone) ack(nc, ackSubject);
      else nak(nc, ackSubject, SECOND_LOOK_MS);
    } catch (error) {
      if (!MillraceError.is(error, "connection-closed"))
        onProblem(error, "wake a job for its signal");
      if (!nc.isClosed()) nak(nc, ackSubject, AGAIN_AFTER_MS);
    }
  }
}
