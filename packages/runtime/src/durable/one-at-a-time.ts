import { type Clock, NotNow } from "@millrace/core";

/** Who waits for longer holds a place that others could have. */
const LONG_MS = 5_000;

interface Line {
  /** When what runs now began, of the monotonic clock. */
  begunAt: number;
  isTold: boolean;
  readonly waiting: Set<() => void>;
}

export interface OneAtATimeOptions {
  readonly clock: Pick<Clock, "monotonic" | "setTimer">;
  /** Told once of what goes on for long while others wait for it. */
  readonly onLong: (key: string) => void;
}

/**
 * Runs what has one key one after the other, and the rest side by side. What waits for long is
 * refused, and at once where what runs goes on for long.
 */
export class OneAtATime {
  readonly #options: OneAtATimeOptions;
  readonly #lines = new Map<string, Line>();

  constructor(options: OneAtATimeOptions) {
    this.#options = options;
  }

  /** @throws NotNow where its turn has not come: the action was not called */
  async run<T>(key: string, action: () => Promise<T>): Promise<T> {
    await this.#turn(key);
    try {
      return await action();
    } finally {
      this.#next(key);
    }
  }

  #turn(key: string): Promise<void> | undefined {
    const { clock } = this.#options;
    const line = this.#lines.get(key);
    if (line === undefined) {
      this.#lines.set(key, { begunAt: clock.monotonic(), isTold: false, waiting: new Set() });
      return undefined;
    }
    if (this.#isLong(line)) return Promise.reject(this.#notNow(key, line));
    return new Promise((resolve, reject) => {
      const timer = clock.setTimer(LONG_MS, () => {
        line.waiting.delete(go);
        reject(this.#notNow(key, line));
      });
      const go = (): void => {
        timer.cancel();
        resolve();
      };
      line.waiting.add(go);
    });
  }

  #next(key: string): void {
    const line = this.#lines.get(key);
    const [go] = line?.waiting ?? [];
    if (line === undefined || go === undefined) return void this.#lines.delete(key);
    line.waiting.delete(go);
    line.begunAt = this.#options.clock.monotonic();
    line.isTold = false;
    go();
  }

  #isLong({ begunAt }: Line): boolean {
    return this.#options.clock.monotonic() - begunAt >= LONG_MS;
  }

  #notNow(key: string, line: Line): NotNow {
    if (!line.isTold && this.#isLong(line)) {
      line.isTold = true;
      this.#options.onLong(key);
    }
    return new NotNow("queue-full", `What came to ${key} before is not done yet.`);
  }
}
