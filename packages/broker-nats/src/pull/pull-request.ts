import { type Pull, pullBytes } from "./pull-size.ts";

/**
 * An old server may take a pull that does not wait and never answer it, when others are served in
 * the same moment.
 */
const NO_WAIT_PATIENCE_MS = 250;
/** A pull's end is announced late by a busy server, by so much at most. */
const LATE_MS = 1_000;

/** What a pull may ask for at most. */
export interface PullLimits {
  readonly maxBatch: number;
  /** The consumer's own limit; infinite where it has said none. */
  readonly maxBytes: number;
  /** Of one message. */
  readonly maxPayload: number;
  /** What its owner can take now; undefined: any number. */
  readonly freeBytes: number | undefined;
  readonly expiresMs: number;
  readonly heartbeatMs: number;
}

export interface PullRequest {
  readonly body: string;
  readonly batch: number;
  /**
   * When the server must have ended it, from its sending. Where a lane is heard of rarely, a short
   * pull of it is over long before its silence would be noticed.
   */
  readonly overAfterMs: number;
}

/** A pull as the server is asked for it. */
export function pullRequest(pull: Pull, limits: PullLimits): PullRequest {
  const { maxBytes, maxPayload, freeBytes } = limits;
  const batch = Math.min(pull.batch, limits.maxBatch);
  const bytes = pullBytes(batch, maxPayload, freeBytes);
  const limit = bytes === undefined ? "" : `"max_bytes":${Math.min(bytes, maxBytes)},`;
  const asked = `{"batch":${batch},${limit}`;
  if (pull.noWait === true)
    return { batch, body: `${asked}"no_wait":true}`, overAfterMs: NO_WAIT_PATIENCE_MS };
  const expiresMs = Math.min(pull.expiresMs ?? Infinity, limits.expiresMs);
  const heartbeatMs = Math.min(limits.heartbeatMs, expiresMs / 2);
  return {
    batch,
    body: `${asked}"expires":${expiresMs * 1e6},"idle_heartbeat":${heartbeatMs * 1e6}}`,
    overAfterMs: expiresMs + Math.min(limits.heartbeatMs, Math.max(heartbeatMs, LATE_MS)),
  };
}
