import type { TailQuery } from "@millrace/core";
import type { JetStreamManager } from "@nats-io/jetstream";
import { request } from "../jetstream-errors.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { behindBarrier } from "./behind-barrier.ts";
import { lastMessage, type LeaderMessage, nextMessage } from "./next-message.ts";

export interface TailOf {
  readonly stream: string;
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
  { stream, doing }: TailOf,
  { withinMs, limit }: TailQuery,
): Promise<{ readonly from: number; readonly until: number } | undefined> {
  const last = await behindBarrier(server, stream, () =>
    request(doing, async () => placeOf(await lastMessage(server.jsm, stream))),
  );
  if (last === undefined || limit < 1) return undefined;
  const since = last.storedAt - withinMs;
  const [low, high] = [Math.max(1, last.sequence - limit + 1), last.sequence];
  const from = await firstSince(server.jsm, { stream, doing }, { since, low, high });
  return { from, until: last.sequence };
}

/**
 * The place from which on messages were stored at that time or later, epoch milliseconds of the
 * server's clock. By halves: one read for each doubling of the stretch.
 */
export async function firstSince(
  jsm: JetStreamManager,
  { stream, doing }: TailOf,
  range: { readonly since: number; readonly low: number; readonly high: number },
): Promise<number> {
  let { low, high } = range;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const stored = await request(doing, async () =>
      placeOf(await nextMessage(jsm, stream, middle)),
    );
    if (stored !== undefined && stored.storedAt < range.since)
      low = Math.max(middle, stored.sequence) + 1;
    else high = middle;
  }
  return low;
}

function placeOf(stored: LeaderMessage | undefined): Stored | undefined {
  return stored && { sequence: stored.seq, storedAt: stored.time.getTime() };
}
