/**
 * What has been asked for on one inbox and has neither come nor been called off. Messages don't say
 * which pull they answer, and a pull that was served in full ends without a word; only what ends
 * early is announced, by the token of its pull.
 */
export class PullLedger {
  readonly #pulls = new Map<string, { readonly batch: number; readonly overAtMs: number }>();
  #outstanding = 0;

  get outstanding(): number {
    return this.#outstanding;
  }

  /**
   * By then the server must have said something, if it says nothing before; undefined where nothing
   * is asked for. Counted as if the pulls that end first had been served first.
   */
  get dueAtMs(): number | undefined {
    let open = this.#outstanding;
    let dueAtMs: number | undefined;
    const lastFirst = [...this.#pulls.values()].sort((a, b) => b.overAtMs - a.overAtMs);
    for (const { batch, overAtMs } of lastFirst) {
      if (open <= 0) break;
      open -= batch;
      dueAtMs = overAtMs;
    }
    return dueAtMs;
  }

  /** `overAtMs`: when the server must have ended the pull, in the time of `nowMs`. */
  asked(token: string, batch: number, nowMs: number, overAtMs: number): void {
    this.#forgetServed(nowMs);
    this.#pulls.set(token, { batch, overAtMs });
    this.#outstanding += batch;
  }

  received(): void {
    if (this.#outstanding > 0) this.#outstanding -= 1;
    if (this.#outstanding === 0) this.#pulls.clear();
  }

  /**
   * `undelivered` as the server says it; a refused pull has no count, because nothing of it was
   * delivered.
   */
  ended(token: string, undelivered: number | undefined): void {
    const pull = this.#pulls.get(token);
    if (pull === undefined) return;
    this.#pulls.delete(token);
    this.#outstanding =
      this.#pulls.size === 0 ? 0 : Math.max(0, this.#outstanding - (undelivered ?? pull.batch));
  }

  /**
   * Pulls past their end without an announcement were served. The map keeps the order of asking, so
   * the front is oldest.
   */
  #forgetServed(nowMs: number): void {
    for (const [token, pull] of this.#pulls) {
      if (pull.overAtMs > nowMs) return;
      this.#pulls.delete(token);
    }
    this.#outstanding = 0;
  }
}
