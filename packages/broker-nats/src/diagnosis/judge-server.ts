import { fail, type Finding, ok, skip, warn } from "./finding.ts";

/** A slower answer delays every lease extension and every settlement. */
const SLOW_MS = 100;
/** Jobs' times are compared across machines: beyond this delays and expiries are visibly wrong. */
const SKEW_WARN_MS = 1_000;
const SKEW_FAIL_MS = 30_000;

export function judgeRoundTrip(rttMs: number): Finding {
  const message = `answers in ${rttMs < 1 ? "less than 1" : rttMs.toFixed(0)} ms`;
  return rttMs <= SLOW_MS
    ? ok("connection", message)
    : warn(
        "connection",
        message,
        "Run nodes in the server's region: each settlement waits for two or three such answers.",
      );
}

export function judgeVersion(version: string, clustered: boolean): Finding {
  const [major = 0, minor = 0, patch = 0] = version.replace(/^v/, "").split(/[.-]/).map(Number);
  const from = (wantedMinor: number, wantedPatch = 0): boolean =>
    major > 2 ||
    (major === 2 && (minor > wantedMinor || (minor === wantedMinor && patch >= wantedPatch)));
  if (!from(10))
    return fail(
      "server-version",
      `nats-server ${version}`,
      "Upgrade: Millrace needs 2.10 or newer.",
    );
  if (!from(10, 23))
    return warn(
      "server-version",
      `nats-server ${version}`,
      "Upgrade to 2.10.23 or newer: before it whole streams could be lost after a kill (nats-server #6888).",
    );
  if (/^v?2\.12\.3(?:\D|$)/.test(version))
    return warn(
      "server-version",
      `nats-server ${version}`,
      "Upgrade: jobs could stay in a queue on 2.12.3 and not be delivered (nats-server #7680).",
    );
  if (clustered && !from(14))
    return warn(
      "server-version",
      `nats-server ${version} in a cluster`,
      "Upgrade to 2.14 or newer: earlier clusters could lose acknowledged messages (nats-server #7564).",
    );
  if (!from(12))
    return ok(
      "server-version",
      `nats-server ${version}; the mover postpones delayed jobs (from 2.12 on the server's own schedules do it)`,
    );
  return ok("server-version", `nats-server ${version}`);
}

export interface StorageUse {
  readonly usedBytes: number;
  /** Below 1: no limit. */
  readonly limitBytes: number;
}

export function judgeStorage({ usedBytes, limitBytes }: StorageUse): Finding {
  const used = `${megabytes(usedBytes)} MB of file storage used`;
  if (limitBytes < 1) return ok("jetstream", `enabled; ${used}, no limit on the account`);
  const share = usedBytes / limitBytes;
  const message = `enabled; ${used} of ${megabytes(limitBytes)} MB`;
  if (share >= 0.98)
    return fail(
      "jetstream",
      message,
      "Make room or raise the account's limit: publishes are being refused, or soon will be.",
    );
  return share >= 0.8
    ? warn(
        "jetstream",
        message,
        "Make room or raise the account's limit before publishes are refused.",
      )
    : ok("jetstream", message);
}

/** @param skewMs this machine's clock minus the server's; @param errorMs how far off that may be */
export function judgeSkew(skewMs: number, errorMs: number): Finding {
  const size = Math.max(0, Math.abs(skewMs) - errorMs);
  const message = `this machine's clock is ${Math.abs(skewMs).toFixed(0)} ms ${skewMs >= 0 ? "ahead of" : "behind"} the server's (± ${errorMs.toFixed(0)} ms)`;
  if (size < SKEW_WARN_MS) return ok("clock", message);
  const advice = "Synchronise the clocks (NTP): delays and expiries are compared across machines.";
  return size < SKEW_FAIL_MS ? warn("clock", message, advice) : fail("clock", message, advice);
}

/**
 * @param sync as the server reports it: nanoseconds, and whether every write is synced; undefined
 *   where it can't be seen
 */
export function judgeSync(
  sync: { readonly always: boolean; readonly intervalNs: number } | undefined,
): Finding {
  if (sync === undefined)
    return skip(
      "sync-interval",
      "sync_interval is not visible to this account: only the system account sees it",
    );
  if (sync.always)
    return ok("sync-interval", "every write is synced to disk before it is confirmed");
  return warn(
    "sync-interval",
    `writes are synced to disk every ${Math.round(sync.intervalNs / 1e9)} s`,
    "A power cut may lose what was confirmed since. Set jetstream { sync_interval: always } where that matters; it is slower.",
  );
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
}
