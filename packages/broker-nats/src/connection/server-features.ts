import { MillraceError } from "../errors.ts";

/**
 * What the connected server can do, derived from its version only. Older servers accept newer
 * options without an error and without an effect, so nothing may be found out by trying.
 */
export interface ServerFeatures {
  /** As the server reports it, such as `2.15.2`. */
  readonly version: string;
  /**
   * `first_seq` of a stream. Servers before 2.10.28 and 2.11.2 take it, and empty the stream when
   * they start while its very first message lies in it (nats-server pull request 6753).
   */
  readonly firstSequence: boolean;
  /**
   * The same in a cluster, where two may make a stream at one moment, each with a number of its
   * own. Servers before 2.11.9 count from the first one's and note the second one's, and whoever
   * starts with a note that is higher than what it has empties the stream.
   */
  readonly firstSequenceInCluster: boolean;
  /** Who is elected leads from when it has applied what was confirmed before (2.11). */
  readonly appliedBeforeLeading: boolean;
  /** `Nats-TTL` on a message, `allow_msg_ttl` on a stream (2.11). */
  readonly messageTtl: boolean;
  /** A TTL for one key of a KV bucket (2.11). */
  readonly keyTtl: boolean;
  /** `pause_until` on a consumer (2.11). */
  readonly consumerPause: boolean;
  /** Many messages for one direct get (2.11). */
  readonly batchedGets: boolean;
  /** `Nats-Schedule: @at …` (2.12). */
  readonly schedules: boolean;
  /** `Nats-Batch-*` with `Nats-Msg-Id` (2.12.1). */
  readonly atomicBatch: boolean;
  /** `Nats-Incr` (2.12). */
  readonly counters: boolean;
  /** Cron and `@every` in `Nats-Schedule` (2.14). */
  readonly repeatingSchedules: boolean;
  /** `allow_batched` on a stream (2.14). */
  readonly fastBatches: boolean;
}

const OLDEST = { major: 2, minor: 10 } as const;

/** @throws MillraceError `server-too-old` below 2.10, or where the version can't be read. */
export function serverFeatures(version: string): ServerFeatures {
  const match = /^v?(\d+)\.(\d+)(?:\.(\d+))?/.exec(version);
  const major = Number(match?.[1] ?? 0);
  const minor = Number(match?.[2] ?? 0);
  const patch = Number(match?.[3] ?? 0);
  const atLeast = (wanted: number): boolean => major > 2 || (major === 2 && minor >= wanted);
  if (!atLeast(OLDEST.minor)) {
    throw new MillraceError(
      "server-too-old",
      `This NATS server reports version "${version}"; Millrace needs ${OLDEST.major}.${OLDEST.minor} or newer. Upgrade nats-server.`,
    );
  }
  return Object.freeze({
    version,
    firstSequence: atLeast(12) || (minor === 11 && patch >= 2) || (minor === 10 && patch >= 28),
    firstSequenceInCluster: atLeast(12) || (minor === 11 && patch >= 9),
    appliedBeforeLeading: atLeast(11),
    messageTtl: atLeast(11),
    keyTtl: atLeast(11),
    consumerPause: atLeast(11),
    batchedGets: atLeast(11),
    schedules: atLeast(12),
    // 2.12.0 refuses ids in a batch (10177).
    atomicBatch: atLeast(13) || (minor === 12 && patch >= 1),
    counters: atLeast(12),
    repeatingSchedules: atLeast(14),
    fastBatches: atLeast(14),
  });
}
