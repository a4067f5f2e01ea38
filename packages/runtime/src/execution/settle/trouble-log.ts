import type { Clock, EventBus, Logger } from "@millrace/core";
import { SettlementWatch, type SettlementWatchOptions } from "./settlement-watch.ts";

/** One line of a kind in so long; how many were left out is in the next. */
const EVERY_MS = 10_000;

/**
 * The node's watch over its settlements, and a log that tells of each failure to ask the broker,
 * not of each repetition.
 */
export function watchSettlements(
  options: SettlementWatchOptions & { readonly clock: Clock },
  events: EventBus,
): SettlementWatch {
  logTrouble(events, options.log, options.clock);
  const watch = new SettlementWatch(options);
  events.on("node.state", ({ state }) => {
    if (state === "stopped") watch.close();
  });
  return watch;
}

function logTrouble(events: EventBus, log: Logger, clock: Pick<Clock, "monotonic">): void {
  const told = new Map<string, { at: number; leftOut: number }>();
  events.on("settlement.failed", ({ id: job, queue, name, error }) => {
    const now = clock.monotonic();
    const kind = `${queue} ${error.type}`;
    const last = told.get(kind);
    if (last !== undefined && now - last.at < EVERY_MS) return void (last.leftOut += 1);
    told.set(kind, { at: now, leftOut: 0 });
    log.warn(
      { job, queue, name, error, alike: last?.leftOut ?? 0 },
      "the broker could not do what a job needs; trying again",
    );
  });
}
