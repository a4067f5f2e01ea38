import { isRecord, type RateLimit } from "./queue-controls.ts";

/** Tokens that a node took and has not used yet. */
export interface HeldTokens {
  readonly count: number;
  /**
   * After this they count as gone, epoch milliseconds by the bucket's clock: its node died, or is
   * away.
   */
  readonly until: number;
}

/**
 * A token bucket that several nodes share as one document. What nodes hold unused takes up room in
 * the bucket: in it and in their hands there are never more than `limit` tokens, so no period sees
 * more than `limit` plus a burst of `limit`.
 */
export interface RateBucket {
  /** A fraction of the next one included. */
  readonly tokens: number;
  /** When that was so, epoch milliseconds by the bucket's clock. Never goes back. */
  readonly at: number;
  readonly held: Readonly<Record<string, HeldTokens>>;
}

export interface TokenRequest {
  readonly rate: RateLimit;
  /** Who asks. */
  readonly holder: string;
  /** What the holder has left of earlier tokens: given back with this request. */
  readonly unused: number;
  /** What it wants in its hands afterwards. */
  readonly want: number;
  /** By the bucket's clock. */
  readonly now: number;
  /** How long it may keep them. */
  readonly holdMs: number;
}

export interface TokenDeal {
  readonly bucket: RateBucket;
  /** What the holder has in its hands now. */
  readonly granted: number;
  /**
   * When asking again gets it all that it wants, milliseconds from now; undefined where others
   * would have to give some back first.
   */
  readonly moreInMs: number | undefined;
}

/** A clock this far behind the bucket's last time was set back: then the bucket follows it. */
const CLOCK_WENT_BACK_MS = 60_000;

/** The document as it was read; anything that is no bucket is a full one. */
export function readBucket(value: unknown, rate: RateLimit, now: number): RateBucket {
  const full: RateBucket = { tokens: rate.limit, at: now, held: {} };
  if (!isRecord(value)) return full;
  const { tokens, at, held } = value;
  if (
    typeof tokens !== "number" ||
    !(tokens >= 0) ||
    typeof at !== "number" ||
    !Number.isFinite(at)
  )
    return full;
  const valid: Record<string, HeldTokens> = {};
  for (const [holder, entry] of Object.entries(isRecord(held) ? held : {})) {
    if (!isRecord(entry)) continue;
    const { count, until } = entry;
    if (typeof count === "number" && count > 0 && typeof until === "number")
      valid[holder] = { count, until };
  }
  return { tokens, at, held: valid };
}

/** Gives tokens out. Pure. A limit that was changed counts from now on. */
export function dealTokens(before: RateBucket, request: TokenRequest): TokenDeal {
  const { rate, holder, want, now } = request;
  const perToken = rate.perMs / rate.limit;
  const wentBack = before.at - now > CLOCK_WENT_BACK_MS;
  const at = wentBack ? now : Math.max(before.at, now);
  const others = Object.entries(before.held).filter(
    ([name, { until }]) => name !== holder && until > now,
  );
  const room = Math.max(0, rate.limit - others.reduce((sum, [, { count }]) => sum + count, 0));
  // A holder cannot return more tokens than it got.
  const unused = Math.min(Math.max(0, request.unused), before.held[holder]?.count ?? 0);
  const refill = wentBack ? 0 : (at - before.at) / perToken;
  const tokens = Math.min(room, before.tokens + unused + refill);
  const granted = Math.max(0, Math.min(Math.floor(want), Math.floor(tokens + 1e-9)));
  const left = Math.max(0, tokens - granted);
  const mine: Record<string, HeldTokens> =
    granted > 0 ? { [holder]: { count: granted, until: now + request.holdMs } } : {};
  const missing = Math.min(want, room) - granted;
  return {
    bucket: { tokens: left, at, held: { ...Object.fromEntries(others), ...mine } },
    granted,
    moreInMs:
      missing < 1 ? undefined : Math.max(1, Math.ceil(at - now + (missing - left) * perToken)),
  };
}
