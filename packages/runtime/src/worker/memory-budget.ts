import { BYTES_A_VALUE } from "@millrace/core";

/**
 * A job that takes memory from the moment in which its message is read until it has left its node's
 * hands.
 */
export interface MemoryUser {
  /** Of its message's body. */
  readonly bytes: number;
  /** Of its body, once that was read. */
  readonly values: number | undefined;
  /** What the budget counts for it. Written by the budget alone. */
  counted: number;
  /** Reads the message, and goes on. */
  start(): void;
}

/**
 * Its bytes as they came, and its strings, of which one character beyond Latin makes two bytes of
 * each.
 */
const TIMES_ITS_BYTES = 3;
/** Beside the body; assumed of each job, so that a division has something to divide by. */
const LEAST_BYTES = 1_024;
const FIRST_GUESS_BYTES = 64 * 1_024;
const WEIGHT = 0.05;

/**
 * What the jobs in a node's hands may take in memory, over all its queues. A job counts with what
 * its body may become at worst while nothing is known of it, and with what it became once it was
 * read, which is when it starts. One for which there is no room waits, its message unread; one that
 * is larger than all there is starts when nothing else is in hand, so that nothing waits for ever.
 */
export class MemoryBudget {
  readonly bytes: number;
  readonly #maxValues: number;
  readonly #listeners = new Set<() => void>();
  readonly #waiting = new Set<MemoryUser>();
  #waitingBytes = 0;
  #counted = 0;
  #users = 0;
  /**
   * What a job took lately: grows at once and shrinks slowly, because too small a guess costs
   * memory, too large a one only a further pull.
   */
  #typical = FIRST_GUESS_BYTES;
  /** Somebody was told that there is no room, and asks again only when told. */
  #short = false;
  #admitting = false;

  constructor(bytes: number, maxValues: number) {
    this.bytes = bytes;
    this.#maxValues = maxValues;
  }

  /** How many more jobs there is room for, as jobs were lately. */
  room(): number {
    const left = this.freeBytes;
    const fits = Math.floor(left / this.#typical);
    if (fits >= 1) return fits;
    // One that is larger than everything comes alone.
    if (this.#users === 0 && this.#waiting.size === 0) return 1;
    this.#short = true;
    return 0;
  }

  get freeBytes(): number {
    return Math.max(0, this.bytes - this.#counted - this.#waitingBytes);
  }

  /** Whether nothing can be pulled for the moment: then silence means nothing. */
  get isShort(): boolean {
    return this.#short;
  }

  /** Called when there is room again after `room` said that there is none. */
  onRoom(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Starts the job now, or when there is room for it. */
  enter(user: MemoryUser): void {
    if (this.#waiting.size === 0 && this.#fits(user)) return this.#start(user);
    this.#waiting.add(user);
    this.#waitingBytes += user.bytes;
  }

  /** It is in nobody's hands here any more. Idempotent. */
  leave(user: MemoryUser): void {
    if (this.#waiting.delete(user)) this.#waitingBytes -= user.bytes;
    if (user.counted > 0) {
      this.#counted -= user.counted;
      user.counted = 0;
      this.#users -= 1;
    }
    if (this.#waiting.size > 0) this.#admit();
    // Where the next would be larger than everything it comes alone.
    if (!this.#short || (this.#users > 0 && this.freeBytes < this.#typical)) return;
    this.#short = false;
    for (const listener of this.#listeners) listener();
  }

  /** One that starts may end within the call: then the loop goes on, and no second one begins. */
  #admit(): void {
    if (this.#admitting) return;
    this.#admitting = true;
    try {
      for (const user of this.#waiting) {
        if (!this.#fits(user)) break;
        this.#waiting.delete(user);
        this.#waitingBytes -= user.bytes;
        this.#start(user);
      }
    } finally {
      this.#admitting = false;
    }
  }

  #fits(user: MemoryUser): boolean {
    return this.#users === 0 || this.#counted + this.#most(user) <= this.bytes;
  }

  #most({ bytes }: MemoryUser): number {
    return TIMES_ITS_BYTES * bytes + BYTES_A_VALUE * Math.min(bytes, this.#maxValues) + LEAST_BYTES;
  }

  #start(user: MemoryUser): void {
    this.#users += 1;
    user.counted = this.#most(user);
    this.#counted += user.counted;
    user.start();
    const taken = LEAST_BYTES + TIMES_ITS_BYTES * user.bytes + BYTES_A_VALUE * (user.values ?? 0);
    this.#typical =
      taken > this.#typical ? taken : this.#typical + (taken - this.#typical) * WEIGHT;
    // It may have left within the call.
    if (user.counted === 0) return;
    this.#counted += taken - user.counted;
    user.counted = taken;
  }
}
