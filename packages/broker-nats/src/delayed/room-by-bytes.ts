/** A mover holds no more than this in memory, whatever the size of jobs. */
const BUDGET_BYTES = 64 * 1024 * 1024;
const MOST_MESSAGES = 20_000;
/** Assumed until the first messages were seen. */
const FIRST_GUESS_BYTES = 256 * 1024;
const SMALLEST_BYTES = 1024;
const WEIGHT = 0.05;

/**
 * How many more messages fit, judged by the size of those that came lately: a pull asks for a
 * number, not for bytes.
 */
export class RoomByBytes {
  #takenBytes = 0;
  #taken = 0;
  #typicalBytes = FIRST_GUESS_BYTES;

  left(): number {
    const bySize = Math.floor(
      (BUDGET_BYTES - this.#takenBytes) / Math.max(SMALLEST_BYTES, this.#typicalBytes),
    );
    return Math.max(0, Math.min(bySize, MOST_MESSAGES - this.#taken));
  }

  take(bytes: number): void {
    this.#taken += 1;
    this.#takenBytes += bytes;
    // Grows at once and shrinks slowly: too small a guess costs memory, too large a one only a
    // further pull.
    this.#typicalBytes =
      bytes > this.#typicalBytes
        ? bytes
        : this.#typicalBytes + (bytes - this.#typicalBytes) * WEIGHT;
  }

  free(bytes: number): void {
    this.#taken -= 1;
    this.#takenBytes -= bytes;
  }
}
