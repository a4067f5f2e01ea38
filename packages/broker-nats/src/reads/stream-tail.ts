import type { TailQuery } from "@millrace/core";
import { request } from "../jetstream-errors.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { behindBarrier } from "./behind-barrier.ts";
import { lastMessage, type LeaderMessage, nextMessage } from "./next-message.ts";

/** The end of a stream whose messages all fit one filter. */
export interface TailOf {
  readonly stream: string;
  readonly filter: string;
  /** Completes "Could not …". */
  readonly doing: string;
}

interface Stored {
  readonly sequence: number;
  readonly storedAt: number;
}

/**
 * Where the end of a stream begins and ends: the newest messages, none of them older than the
 * newest by more than `withinMs`. Asked behind a barrier, because nobody asks again.
 *
 * @returns undefined where there is none
 */
export async function tailBounds(
  server: ServerAccess,
  { stream, filter, doing }: TailOf,
  { withinMs, limit }: TailQuery,
): Promise<{ readonly from: number; readonly until: number } | undefined> {
  const last = await behindBarrier(server, stream, () =>
    request(doing, async () => placeOf(await lastMessage(server.jsm, stream, filter))),
  );
  if (last === undefined || limit < 1) return undefined;
  const since = last.storedAt - withinMs;
  // By halves: one read for each doubling of the stretch.
  let [low, high] = [Math.max(1, last.sequence - limit + 1), last.sequence];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const stored = await request(doing, async () =>
      placeOf(await nextMessage(server.jsm, stream, middle, filter)),
    );
    if (stored !== undefined && stored.storedAt < since)
      low = Math.max(middle, stored.sequence) + 1;
    else high = middle;
  }
  return { from: low, until: last.sequence };
}

function placeOf(stored: LeaderMessage | undefined): Stored | undefined {
  return stored && { sequence: stored.seq, storedAt: stored.time.getTime() };
}
