import {
  type Broker,
  type BrokerStatus,
  CLOCK_OFF_MS,
  type DisciplinedClock,
  type Logger,
  recordError,
  type Stoppable,
  type Timer,
} from "@millrace/core";

export interface ClockWatchOptions {
  readonly broker: Pick<Broker, "onStatus" | "serverNow" | "status">;
  readonly clock: DisciplinedClock;
  readonly log: Logger;
  readonly random: () => number;
}

/** On average. Good clocks drift apart by a few milliseconds in this time. */
const LOOK_EVERY_MS = 5 * 60_000;
/** An answer that took longer says too little about when it was given: another one is asked for. */
const GOOD_ANSWER_MS = 100;
const TRIES = 3;

/**
 * Keeps the node's clock to the server's: looks when the node starts, about every five minutes,
 * when the connection is back, and when the machine's clock was set. Rejects never: a node that
 * may not ask, or is not answered, stamps by its own clock and says so.
 */
export async function openClockWatch(options: ClockWatchOptions): Promise<Stoppable> {
  const watch = new ClockWatch(options);
  await watch.look();
  return watch.open();
}

class ClockWatch {
  readonly #options: ClockWatchOptions;
  #looking: Promise<void> | undefined;
  #timer: Timer | undefined;
  #stopped = false;
  /** What was said last, so that each is said once. */
  #said: "right" | "off" | "unknown" = "right";

  constructor(options: ClockWatchOptions) {
    this.#options = options;
  }

  /** Never rejects. Joins a look that is under way. */
  look(): Promise<void> {
    this.#looking ??= this.#ask().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  open(): Stoppable {
    const { broker, clock } = this.#options;
    const look = (): void => {
      if (!this.#stopped && broker.status === "connected") void this.look();
    };
    clock.onStep(look);
    const unlisten = broker.onStatus((status: BrokerStatus) => {
      if (status === "connected") look();
    });
    this.#lookLater(look);
    return {
      stop: async () => {
        this.#stopped = true;
        this.#timer?.cancel();
        unlisten();
        await this.#looking;
      },
    };
  }

  #lookLater(look: () => void): void {
    const { clock, random } = this.#options;
    this.#timer = clock.setTimer(LOOK_EVERY_MS * (0.5 + random()), () => {
      look();
      this.#lookLater(look);
    });
  }

  async #ask(): Promise<void> {
    const { broker, clock, log } = this.#options;
    try {
      let tookMs = Infinity;
      for (let tries = 0; tries < TRIES && tookMs > GOOD_ANSWER_MS; tries += 1)
        ({ tookMs } = await clock.ask(() => broker.serverNow()));
      this.#say();
    } catch (error) {
      if (this.#said === "unknown" || this.#stopped) return;
      this.#said = "unknown";
      log.warn(
        { error: recordError(error) },
        "cannot read the server's time; stamping by this machine's clock with the last correction",
      );
    }
  }

  #say(): void {
    const { clock, log } = this.#options;
    const { aheadMs } = clock;
    const isOff = Math.abs(aheadMs) > CLOCK_OFF_MS;
    if (isOff && this.#said !== "off")
      log.warn(
        { aheadMs },
        "this machine's clock is not the server's: the node stamps by the server's, its log lines and other programs don't. Synchronise it (NTP)",
      );
    else if (!isOff && this.#said === "off")
      log.info({ aheadMs }, "this machine's clock agrees with the server's again");
    this.#said = isOff ? "off" : "right";
  }
}
