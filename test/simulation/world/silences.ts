/** A node says every ten seconds that it is there. */
const NOTED_SILENCE_MS = 30_000;
/** What is under way is sent again after five seconds: less time in reach may bring nothing. */
const MOMENT_MS = 5_000;

interface Heard {
  readonly lastMs: number;
  /** Since when it is in reach. */
  readonly inReachMs: number;
  /** From when on it was out of reach but for moments. */
  readonly silentMs: number | undefined;
}

/**
 * For how long the server heard nothing of processes. A process that comes into reach for a moment
 * and is gone again before its heartbeat was as silent as one that did not: nobody but a heartbeat
 * tells the others that it lives. One that stays in reach and says no heartbeat is not silent.
 */
export class Silences {
  readonly #of = new Map<string, Heard>();

  /**
   * The server carries out what a process has sent.
   *
   * @param point what that was
   * @returns since when the process had been silent, if it was for long
   */
  heard(process: string, point: string, nowMs: number): number | undefined {
    const before = this.#of.get(process) ?? {
      lastMs: nowMs,
      inReachMs: nowMs,
      silentMs: undefined,
    };
    const { lastMs } = before;
    const wasOut = nowMs - lastMs >= MOMENT_MS;
    const inReachMs = wasOut ? nowMs : before.inReachMs;
    const wasInReach = (wasOut ? lastMs : nowMs) - before.inReachMs > MOMENT_MS;
    const known = wasInReach ? undefined : before.silentMs;
    const silentMs = wasOut ? (known ?? lastMs) : known;
    const isHeartbeat = point === `put nodes ${process}`;
    this.#of.set(process, {
      lastMs: nowMs,
      inReachMs,
      silentMs: isHeartbeat ? undefined : silentMs,
    });
    return wasOut && silentMs !== undefined && nowMs - silentMs >= NOTED_SILENCE_MS
      ? silentMs
      : undefined;
  }

  /** Who has been silent for long and is not heard any more, when a world ends. */
  *lasting(nowMs: number): Generator<{ readonly process: string; readonly sinceMs: number }> {
    for (const process of this.#of.keys()) {
      const sinceMs = this.heard(process, "the end of the world", nowMs);
      if (sinceMs !== undefined) yield { process, sinceMs };
    }
  }
}
