/** Says when all slots have been taken for a while. Full and free again are told many thousand times a second, so they set no timer. */
export class Fullness {
  readonly #patienceMs: number;
  readonly #onLasting: () => void;
  #sinceMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(patienceMs: number, onLasting: () => void) {
    this.#patienceMs = patienceMs;
    this.#onLasting = onLasting;
  }

  full(): void {
    if (this.#sinceMs !== undefined) return;
    this.#sinceMs = performance.now();
    this.#timer ??= this.#watch(this.#patienceMs);
  }

  free(): void {
    this.#sinceMs = undefined;
  }

  close(): void {
    this.#sinceMs = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #watch(delayMs: number): NodeJS.Timeout {
    return setTimeout(() => this.#look(), delayMs).unref();
  }

  #look(): void {
    this.#timer = undefined;
    if (this.#sinceMs === undefined) return;
    const leftMs = this.#sinceMs + this.#patienceMs - performance.now();
    if (leftMs > 0) this.#timer = this.#watch(leftMs);
    else this.#onLasting();
  }
}
