import { readUsage } from "../scale/process-usage.ts";

const MB = 2 ** 20;
const LOOK_MS = 250;

/** Of another process, looked at four times a second. */
export class Memory {
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;
  #most = 0;

  constructor(pid: number) {
    this.#pid = pid;
    const look = (): void => {
      this.#most = Math.max(this.#most, readUsage(pid).rssBytes);
    };
    this.#timer = setInterval(look, LOOK_MS);
  }

  /** Megabytes. */
  now(): number {
    return readUsage(this.#pid).rssBytes / MB;
  }

  /** Megabytes since it was asked last. */
  most(): number {
    const most = this.#most;
    this.#most = 0;
    return most / MB;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
