import { MillraceError, type SignalRef, type Stoppable, type Timer } from "@millrace/core";
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
 * In a cluster a job is looked for once more: a leader that was cut off, or stood still, answers
 * for up to 20 s as if nothing had come since. The signal is confirmed before. A message that was
 * held back would take a place of those that may be under way, and a flood would take all places.
 */
const SECOND_LOOK_MS = 30_000;
/** As many wait for their second look; what comes beyond that has none. */
const MOST_SECOND_LOOKS = 10_000;

/** Hears of signals with all other nodes, each of one of them. */
export class SignalFollower implements Stoppable {
  readonly #options: SignalFollowerOptions;
  readonly #pull: PullSubscription;
  readonly #hearing = new Set<Promise<void>>();
  readonly #secondLooks = new Set<Timer>();
  #stopped = false;

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
    this.#stopped = true;
    for (const timer of this.#secondLooks) timer.cancel();
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
  async #hear({ subject, ackSubject }: Delivery): Promise<void> {
    const { server, hear } = this.#options;
    const { nc, names } = server;
    try {
      const signal = names.readSignal(subject);
      if (signal !== undefined) await hear(signal);
      if (nc.isClosed()) return;
      ack(nc, ackSubject);
      if (signal !== undefined && isClustered(nc)) this.#lookAgain(signal);
    } catch (error) {
      this.#failed(error);
      if (!nc.isClosed()) nak(nc, ackSubject, AGAIN_AFTER_MS);
    }
  }

  #lookAgain(signal: SignalRef): void {
    const { server, hear } = this.#options;
    if (this.#stopped || this.#secondLooks.size >= MOST_SECOND_LOOKS) return;
    const timer = machineOf(server.nc).clock.setTimer(SECOND_LOOK_MS, () => {
      this.#secondLooks.delete(timer);
      const look = hear(signal)
        .catch((error: unknown) => this.#failed(error))
        .finally(() => this.#hearing.delete(look));
      this.#hearing.add(look);
    });
    this.#secondLooks.add(timer);
  }

  #failed(error: unknown): void {
    if (!MillraceError.is(error, "connection-closed"))
      this.#options.onProblem(error, "wake a job for its signal");
  }
}
