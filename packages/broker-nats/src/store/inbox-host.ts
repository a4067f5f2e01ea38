import {
  type HostOptions,
  MillraceError,
  NotNow,
  type Stoppable,
  type Timer,
} from "@millrace/core";
import { machineOf } from "../machine/machine.ts";
import { postponeMs } from "../messages/delayed-message.ts";
import { readDueAt, readInboxMessage } from "../messages/inbox-message.ts";
import { ack, nak } from "../pull/ack.ts";
import type { Delivery } from "../pull/delivery.ts";
import { PullSubscription } from "../pull/pull-subscription.ts";
import { Fifo } from "../wire/fifo.ts";
import { ensureMachineConsumer, HOST_LEASE_MS } from "../topology/ensure-consumer.ts";
import { machineConsumer } from "../topology/consumer-names.ts";
import { againAfterMs } from "./again-after.ts";
import type { ServerAccess } from "./server-access.ts";

export interface InboxHostOptions extends HostOptions {
  readonly machine: string;
  readonly from: "inbox" | "timers";
  /** Whether ticks are given back until they are due: being handed out again means nothing then. */
  readonly givesBack: boolean;
  readonly server: ServerAccess;
  /** Makes the stream again, where it was removed. */
  readonly remake: () => Promise<void>;
  readonly onProblem: (error: unknown, doing: string) => void;
}

/** Ticks whose last stretch is waited for, each with a timer. */
const MOST_EARLY = 1_000;

/** What has come, or is due, and finds no free slot. */
interface Waiting {
  readonly delivery: Delivery;
  /** By the monotonic clock: later it may be another's. */
  readonly until: number;
}

/** One host's place at the inbox of one name's machines. */
export class InboxHost implements Stoppable {
  readonly #options: InboxHostOptions;
  readonly #pull: PullSubscription;
  readonly #taking = new Set<Promise<void>>();
  /** Ticks whose last stretch is waited for here. */
  readonly #early = new Map<Delivery, Timer>();
  /** In their order. Early ones take no slot, and more of them may be due at once than are free. */
  readonly #waiting = new Fifo<Waiting>();
  #stopped = false;

  static async start(options: InboxHostOptions): Promise<InboxHost> {
    const { server, machine, from } = options;
    await ensureMachineConsumer(server.jsm, server.names, machine, from);
    return new InboxHost(options);
  }

  private constructor(options: InboxHostOptions) {
    this.#options = options;
    const { nc, jsm, names } = options.server;
    this.#pull = new PullSubscription({
      nc,
      stream: options.from === "inbox" ? names.inboxStream : names.timerStream,
      consumer: machineConsumer(options.machine),
      freeSlots: () =>
        Math.min(
          options.slots - this.#taking.size - this.#waiting.size,
          MOST_EARLY - this.#early.size,
        ),
      onMessage: (delivery) => this.#receive(delivery),
      // A frozen host's pull is over before the server hands out again what it had.
      expiresMs: HOST_LEASE_MS / 2,
      onConsumerMissing: async () => {
        await options.remake();
        await ensureMachineConsumer(jsm, names, options.machine, options.from);
      },
      onProblem: (error) => options.onProblem(error, "pull what comes to machines"),
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#pull.stop();
    for (const [delivery, timer] of this.#early) {
      timer.cancel();
      this.#giveBack(delivery, 0);
    }
    this.#early.clear();
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift())
      this.#giveBack(next.delivery, 0);
    await Promise.all(this.#taking);
  }

  #receive(delivery: Delivery): void {
    // An event says nothing of when: whoever sends it may not.
    const at = this.#options.from === "timers" ? readDueAt(delivery.headers) : undefined;
    const { clock } = machineOf(this.#options.server.nc);
    const left = at === undefined ? 0 : at - clock.now();
    if (at === undefined || left <= 0) return this.#start(delivery);
    const postponed = postponeMs(at, clock.now());
    if (postponed > 0 || this.#stopped) {
      this.#giveBack(delivery, postponed);
      return this.#pull.slotFreed();
    }
    const timer = clock.setTimer(left, () => {
      this.#early.delete(delivery);
      this.#start(delivery);
    });
    this.#early.set(delivery, timer);
    this.#pull.slotFreed();
  }

  #start(delivery: Delivery): void {
    if (this.#taking.size >= this.#options.slots) {
      if (this.#stopped) return this.#giveBack(delivery, 0);
      const { clock } = machineOf(this.#options.server.nc);
      const until = clock.monotonic() + HOST_LEASE_MS / 2;
      return void this.#waiting.push({ delivery, until });
    }
    const taking = this.#take(delivery).finally(() => {
      this.#taking.delete(taking);
      this.#startNext();
      this.#pull.slotFreed();
    });
    this.#taking.add(taking);
  }

  #startNext(): void {
    const { clock } = machineOf(this.#options.server.nc);
    for (;;) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      if (next.until > clock.monotonic()) return this.#start(next.delivery);
    }
  }

  /** Never rejects: whatever goes wrong, the message comes again. */
  async #take(delivery: Delivery): Promise<void> {
    const { server, take, onProblem, from, givesBack } = this.#options;
    const { nc, names } = server;
    const { subject, headers, data, streamSequence: sequence, deliveryCount } = delivery;
    const isAgain = deliveryCount > 1 && !(from === "timers" && givesBack);
    try {
      const message = readInboxMessage(names, { subject, headers, data, sequence, isAgain });
      if (message !== undefined) await take(message);
      if (!nc.isClosed()) ack(nc, delivery.ackSubject);
    } catch (error) {
      const isProblem = !(error instanceof NotNow) && !MillraceError.is(error, "connection-closed");
      if (isProblem) onProblem(error, "take an event");
      this.#giveBack(delivery, againAfterMs(error, deliveryCount));
    }
  }

  #giveBack({ ackSubject }: Delivery, delayMs: number): void {
    const { nc } = this.#options.server;
    if (!nc.isClosed()) nak(nc, ackSubject, delayMs);
  }
}
