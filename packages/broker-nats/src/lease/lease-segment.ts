import { elapsedMs } from "./shared-clock.ts";

/**
 * A block of lease slots in memory that both threads see. Only the main thread takes and frees
 * slots; only the worker confirms them; either may declare one lost, and that is never taken back:
 * nothing the server answers proves that a lease is still ours (it confirms extensions by whoever
 * asks), only the time since the last confirmation does.
 */
export const SLOTS_PER_SEGMENT = 256;
/** Enough for the longest ack subject two stream and consumer names of 255 bytes can make. */
export const MAX_SUBJECT_BYTES = 1_000;

const SLOT_BYTES = 1_024;
const SLOT_INTS = SLOT_BYTES / 4;

/**
 * Generation and state of a slot in one word, so that both threads change exactly what they looked
 * at.
 */
const TAG = 0;
const CONFIRMED_MS = 1;
const ACK_WAIT_MS = 2;
const SUBJECT_BYTES = 3;
const SUBJECT_AT = 16;

const FREE = 0;
const HELD = 1;
const LOST = 2;
const STATE_BITS = 2;
const STATE_MASK = 3;
/** Generations of one slot before they repeat. */
export const GENERATIONS = 2 ** 29;

/**
 * A lease is given up this share of its length early: what runs on it must have stopped when it
 * passes to another.
 */
const MARGIN_SHARE = 6;

export class LeaseSegment {
  readonly buffer: SharedArrayBuffer;
  readonly #ints: Int32Array;
  readonly #bytes: Buffer;

  constructor(buffer = new SharedArrayBuffer(SLOTS_PER_SEGMENT * SLOT_BYTES)) {
    this.buffer = buffer;
    this.#ints = new Int32Array(buffer);
    this.#bytes = Buffer.from(buffer);
  }

  /**
   * Main thread. The tag is written last: the worker reads nothing of a free slot. Returns the
   * slot's new generation.
   */
  take(slot: number, ackSubject: string, ackWaitMs: number, confirmedMs: number): number {
    const at = slot * SLOT_INTS;
    const generation = (this.generation(slot) + 1) % GENERATIONS;
    const length = this.#bytes.write(
      ackSubject,
      slot * SLOT_BYTES + SUBJECT_AT,
      MAX_SUBJECT_BYTES,
      "utf8",
    );
    this.#ints[at + CONFIRMED_MS] = confirmedMs;
    this.#ints[at + ACK_WAIT_MS] = ackWaitMs;
    this.#ints[at + SUBJECT_BYTES] = length;
    Atomics.store(this.#ints, at + TAG, tag(generation, HELD));
    return generation;
  }

  /** Main thread. False when this lease was freed before. */
  free(slot: number, generation: number): boolean {
    if (this.generation(slot) !== generation || this.#state(slot) === FREE) return false;
    Atomics.store(this.#ints, slot * SLOT_INTS + TAG, tag(generation, FREE));
    return true;
  }

  /** Worker. Counts from when the extension was sent; answers may come out of order. */
  confirm(slot: number, generation: number, sentMs: number): void {
    const at = slot * SLOT_INTS + CONFIRMED_MS;
    if (this.isHeld(slot, generation) && elapsedMs(Atomics.load(this.#ints, at), sentMs) > 0)
      Atomics.store(this.#ints, at, sentMs);
  }

  isHeld(slot: number, generation: number): boolean {
    return Atomics.load(this.#ints, slot * SLOT_INTS + TAG) === tag(generation, HELD);
  }

  isLost(slot: number, generation: number): boolean {
    return Atomics.load(this.#ints, slot * SLOT_INTS + TAG) === tag(generation, LOST);
  }

  /** The generation of the lease held in this slot, if one is. */
  heldGeneration(slot: number): number | undefined {
    const word = Atomics.load(this.#ints, slot * SLOT_INTS + TAG);
    return (word & STATE_MASK) === HELD ? word >>> STATE_BITS : undefined;
  }

  generation(slot: number): number {
    return Atomics.load(this.#ints, slot * SLOT_INTS + TAG) >>> STATE_BITS;
  }

  #state(slot: number): number {
    return Atomics.load(this.#ints, slot * SLOT_INTS + TAG) & STATE_MASK;
  }

  /** When the last extension that was confirmed was sent; at first, what `take` was given. */
  confirmedMs(slot: number): number {
    return Atomics.load(this.#ints, slot * SLOT_INTS + CONFIRMED_MS);
  }

  leaseMs(slot: number): number {
    return Atomics.load(this.#ints, slot * SLOT_INTS + ACK_WAIT_MS);
  }

  /**
   * `fresh`: confirmed lately. `due`: time to extend it. `over`: too long without a confirmation to
   * act on it.
   */
  age(slot: number, nowMs: number): "fresh" | "due" | "over" {
    const ackWaitMs = this.leaseMs(slot);
    const age = elapsedMs(this.confirmedMs(slot), nowMs);
    if (age > ackWaitMs - ackWaitMs / MARGIN_SHARE) return "over";
    return age >= ackWaitMs / 3 ? "due" : "fresh";
  }

  /** True for the one thread that declares it. */
  declareLost(slot: number, generation: number): boolean {
    const held = tag(generation, HELD);
    return (
      Atomics.compareExchange(this.#ints, slot * SLOT_INTS + TAG, held, tag(generation, LOST)) ===
      held
    );
  }

  /** Worker. Undefined when the slot changed hands while it was read. */
  subject(slot: number, generation: number): string | undefined {
    const length = Atomics.load(this.#ints, slot * SLOT_INTS + SUBJECT_BYTES);
    const start = slot * SLOT_BYTES + SUBJECT_AT;
    const subject = this.#bytes.toString("utf8", start, start + length);
    return this.isHeld(slot, generation) ? subject : undefined;
  }
}

function tag(generation: number, state: number): number {
  return (generation << STATE_BITS) | state;
}
