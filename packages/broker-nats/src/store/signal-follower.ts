import { MillraceError, SecondLooks, type SignalRef, type Stoppable } from "@millrace/core";
import { isSolitary } from "../connection/retrying-requests.ts";
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

/** Hears of signals with all other nodes, each of one of them. */
export class SignalFollower implements Stoppable {
  readonly #options: SignalFollowerOptions;
  readonly #pull: PullSubscription;
  readonly #hearing = new Set<Promise<void>>();
  readonly #looks: SecondLooks;

  static async start(options: SignalFollowerOptions): Promise<SignalFollower> {
    const { jsm, names } = options.server;
    await ensureSignalConsumer(jsm, names);
    return new SignalFollower(options);
  }

  private constructor(options: SignalFollowerOptions) {
    this.#options = options;
    const { nc, jsm, names } = options.server;
    this.#looks = new SecondLooks({
      broker: {
        get solitary() {
          return isSolitary(nc);
        },
      },
      clock: machineOf(nc).clock,
      onFailed: (error) => this.#failed(error),
    });
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
    const looks = this.#looks.stop();
    await this.#pull.stop();
    await Promise.all([...this.#hearing, looks]);
  }

  #take(delivery: Delivery): void {
    const hearing = this.#hear(delivery).finally(() => {
      this.#hearing.delete(hearing);
      this.#pull.slotFreed();
    });
    this.#hearing.add(hearing);
  }

  /** Never rejects: whatever goes wrong, the signal is told of again. */
  async #hear({ subject, ackSubject }: Delivery): Promise<void> {
    const { server, hear } = this.#options;
    const { nc, names } = server;
    try {
      const signal = names.readSignal(subject);
      if (signal !== undefined) await hear(signal);
      if (nc.isClosed()) return;
      // One that was held back for its second look would hold a place of those that may be under
      // way, and a flood would take all of them.
      ack(nc, ackSubject);
      if (signal !== undefined) this.#looks.later(subject, () => hear(signal));
    } catch (error) {
      this.#failed(error);
      if (!nc.isClosed()) nak(nc, ackSubject, AGAIN_AFTER_MS);
    }
  }

  #failed(error: unknown): void {
    if (!MillraceError.is(error, "connection-closed"))
      this.#options.onProblem(error, "wake a job for its signal");
  }
}
