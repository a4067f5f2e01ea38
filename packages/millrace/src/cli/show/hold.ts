import { formatMs } from "@millrace/core";
import type { ShowValue } from "@millrace/telemetry/masking";
import type { DelayReason, JobHold } from "../../client/jobs/job-hold.ts";
import type { LimitUse } from "../../client/queues/queue-limits.ts";
import { clean } from "./clean.ts";
import { shownRef } from "./shown-ref.ts";
import { traceWords } from "./trace.ts";

const WHY: Readonly<Record<DelayReason, string>> = {
  delay: "its producer's delay",
  retry: "the next attempt",
  snooze: "its handler or a step chose the time",
  "key-rate": "the rate of its key",
  "handed-back": "it was handed back and goes on then",
};

const LIMITS = {
  singleton: "the singleton",
  "key-concurrency": "jobs at once of the key",
  "key-rate": "starts of the key",
} as const;

/** Gates and keys are what a producer wrote, and a reason is what anybody did. */
export function shownHold(hold: JobHold, show: ShowValue): JobHold {
  if (hold.kind === "paused" && hold.reason !== undefined)
    return { ...hold, reason: String(show(hold.reason)) };
  if (hold.kind !== "gate") return hold;
  const { gate, key, locks } = hold;
  return {
    ...{ ...hold, gate: String(show(gate)) },
    ...(key === undefined ? {} : { key: String(show(key)) }),
    locks: locks.map((lock) => ({ ...lock, name: String(show(lock.name)) })),
  };
}

/** What keeps a job from running, for `jobs get`. */
export function holdFacts(
  hold: JobHold | undefined,
  queue: string,
  traceUrl: string | undefined,
): readonly (readonly [string, string])[] {
  return hold === undefined ? [] : [["waits for", clean(holdText(hold, queue, traceUrl), 1_000)]];
}

function holdText(hold: JobHold, queue: string, traceUrl: string | undefined): string {
  switch (hold.kind) {
    case "time":
      return `${time(hold.until)}: ${WHY[hold.why]}`;
    case "gate":
      return gateText(hold, queue, traceUrl);
    case "paused": {
      const { since, by, reason } = hold;
      const whose = by === undefined ? "" : ` by ${by}`;
      const why = reason === undefined ? "" : `: ${reason}`;
      return `its queue, paused since ${time(since)}${whose}${why}`;
    }
    case "queue-concurrency": {
      const { limit, running, holders } = hold;
      return `its queue's turn: ${running} run, and ${limit} may at once${used(holders)}`;
    }
    case "queue-rate": {
      const { limit, perMs, holders } = hold;
      return `its queue's rate: ${limit} may start per ${formatMs(perMs)}${used(holders)}`;
    }
    case "slots":
      return hold.nodes === 0
        ? "a node: none takes jobs of its queue"
        : `a slot: all ${hold.slots} of ${hold.nodes} node${hold.nodes === 1 ? "" : "s"} are in use`;
  }
}

type GateHold = Extract<JobHold, { kind: "gate" }>;

function gateText(hold: GateHold, queue: string, traceUrl: string | undefined): string {
  const { gate, limit, key = "", since, before, waiting } = hold;
  const what = limit === undefined ? gate : `${LIMITS[limit]} ${key}`;
  const place = `${before ?? "more than 100"} before it of ${waiting} that wait`;
  return `${what}, since ${time(since)}, ${place}; ${holders(hold, queue, traceUrl)}`;
}

function holders(
  { limit, locks, jobs }: GateHold,
  queue: string,
  traceUrl: string | undefined,
): string {
  const running = jobs.map((job) => {
    const which = `${shownRef(job, queue)}${traceWords(job.traceId, traceUrl)}`;
    return `${which} on ${job.node} since ${time(job.startedAt)}`;
  });
  const holding = locks.map(({ holder, since }) =>
    since === undefined ? holder : `${holder} since ${time(since)}`,
  );
  const who = running.length > 0 ? running : holding;
  if (who.length > 0) return `now ${who.join(", ")}`;
  return limit === "key-rate" ? "nobody has it: its time comes" : "nobody has it now";
}

function used(holders: readonly LimitUse[]): string {
  if (holders.length === 0) return "";
  return ` (${holders.map(({ holder, count }) => `${holder} ${count}`).join(", ")})`;
}

function time(at: number): string {
  return new Date(at).toISOString();
}
