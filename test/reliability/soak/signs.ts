import type { VitalSigns } from "../programs/vital-signs.ts";
import type { Growth, Series } from "./growth.ts";
import { growthOf } from "./growth.ts";
import type { ServerSigns } from "./server-signs.ts";

/** One look at everything that must stay flat, while the load goes on. */
export interface Sample {
  /** Since the load began. */
  readonly atMs: number;
  /** Of the node that lives as long as the run. */
  readonly node: VitalSigns;
  readonly server: ServerSigns;
  /** Jobs that wait, run, are delayed or blocked. */
  readonly pending: number;
  /** Dials of the long-lived node that no server answered, so far. */
  readonly vainDials: number;
}

const MB = 1_000_000;

interface Sign {
  readonly name: string;
  readonly unit: Series["unit"];
  readonly of: (sample: Sample) => number | undefined;
  readonly allowed: number;
}

/**
 * Allowances are for a whole run, however long: what settles is the same after a minute and after
 * an hour, and a leak isn't.
 */
function signs(perSecond: number): readonly Sign[] {
  return [
    { name: "node heap", unit: "MB", of: ({ node }) => node.heapBytes / MB, allowed: 8 },
    { name: "node external", unit: "MB", of: ({ node }) => node.externalBytes / MB, allowed: 8 },
    { name: "node RSS", unit: "MB", of: ({ node }) => node.rssBytes / MB, allowed: 60 },
    { name: "node handles", unit: "", of: ({ node }) => node.handles, allowed: 8 },
    // As many as jobs run at a moment, and those that wait for their next attempt.
    { name: "node timers", unit: "", of: ({ node }) => node.timers, allowed: 40 },
    { name: "node descriptors", unit: "", of: ({ node }) => node.fds, allowed: 8 },
    { name: "streams", unit: "", of: ({ server }) => server.streams.length, allowed: 0.5 },
    { name: "consumers", unit: "", of: ({ server }) => server.consumers, allowed: 4 },
    // A dozen nodes killed in the time that the server keeps their watches.
    { name: "orphaned consumers", unit: "", of: ({ server }) => server.orphans, allowed: 48 },
    { name: "connections", unit: "", of: ({ server }) => server.connections, allowed: 2 },
    { name: "subscriptions", unit: "", of: ({ server }) => server.subscriptions, allowed: 20 },
    { name: "server RSS", unit: "MB", of: ({ server }) => megabytes(server.rssBytes), allowed: 80 },
    // Three seconds' arrivals more are a moment's delay.
    { name: "pending jobs", unit: "", of: ({ pending }) => pending, allowed: 3 * perSecond },
  ];
}

function megabytes(bytes: number | undefined): number | undefined {
  return bytes === undefined ? undefined : bytes / MB;
}

/** Of every sign that this machine shows. Pure. */
export function growths(samples: readonly Sample[], perSecond: number): readonly Growth[] {
  return signs(perSecond).flatMap(({ of, ...sign }) => {
    const points = samples.flatMap((sample) => {
      const value = of(sample);
      return value === undefined ? [] : [{ atMs: sample.atMs, value }];
    });
    return points.length === 0 && samples.length > 0 ? [] : [growthOf({ ...sign, points })];
  });
}
