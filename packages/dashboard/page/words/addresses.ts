import type { RefView } from "../../src/api/views/views.ts";
import type { GateView } from "../../src/api/views/limits-views.ts";
import type { CauseView } from "../../src/api/views/error-views.ts";
import { pathOf, queryOf } from "./paths.ts";

/** Where things are shown. */

export const queueAddress = (queue: string): string => `/${pathOf("queues", queue)}`;

export const jobAddress = ({ queue, id }: RefView): string => `/${pathOf("jobs", queue, id)}`;

export const machineAddress = (machine: string, id: string): string =>
  `/${pathOf("machines", machine, id)}`;

export const jobsAddress = (filter: {
  readonly state?: string;
  readonly queue?: string;
  readonly name?: string;
  /** In the language of filters. */
  readonly filter?: string;
}): string => `/jobs${queryOf(filter)}`;

/** A term of a filter: of this node. */
export const ofNode = (node: string): string => `node:${JSON.stringify(node)}`;

/** Jobs that are blocked at a gate. A masked name fits none, so then all of the queue are meant. */
export const gateAddress = ({ queue, gate }: Pick<GateView, "queue" | "gate">): string =>
  jobsAddress({
    ...{ state: "blocked", queue },
    ...(gate.includes("***") ? {} : { filter: `gate=${JSON.stringify(gate)}` }),
  });

/** A cause of errors, as its address names it. */
export interface CauseRef {
  readonly queue: string;
  readonly name: string | null;
  readonly error: string | null;
  readonly fingerprint: string | null;
  /** Of letters; null: of any. */
  readonly reason: string | null;
}

/**
 * A name or an error that is left out stands for letters that have none; without a fingerprint all
 * letters with that type of error are meant.
 */
export const causeAddress = (cause: CauseRef, filter = ""): string => {
  const { queue, name, reason, error, fingerprint } = cause;
  return `/errors/cause${queryOf({ queue, name, reason, error, fingerprint, filter })}`;
};

/** Letters without an error are told apart by their reason, and no others. */
export const refOf = (
  cause: Pick<CauseView, "queue" | "name" | "error" | "fingerprint" | "reasons">,
): CauseRef => {
  const { queue, name, error, fingerprint, reasons } = cause;
  return {
    ...{ queue, name, error, fingerprint },
    reason: fingerprint === null ? (reasons[0] ?? null) : null,
  };
};

/** The jobs of which an attempt failed so, whatever became of them. */
export const failedJobsAddress = (
  { queue, name, fingerprint }: Pick<CauseRef, "queue" | "name" | "fingerprint">,
  filter = "",
): string => {
  const own = `fingerprint:${fingerprint ?? ""}${name === null ? "" : ` name=${JSON.stringify(name)}`}`;
  return jobsAddress({ queue, filter: withTerms(own, filter) });
};

/** A filter with more terms. In brackets because it may hold an OR. */
export const withTerms = (own: string, filter: string): string =>
  filter.trim() === "" ? own : `(${filter}) ${own}`;

/** Why jobs fail; of all queues where none is given. */
export const errorsAddress = (queue: string): string => `/errors${queryOf({ queue })}`;

/** The causes of which there are dead letters. */
export const deadAddress = (queue: string, filter = ""): string =>
  `/errors${queryOf({ queue, filter, dead: "only" })}`;

export const operationAddress = (id: string): string => `/${pathOf("operations", id)}`;

/** Of the oldest job of a queue: the server knows whether it waits or runs. */
export const oldestAddress = (queue: string): string => `/${pathOf("queues", queue, "oldest")}`;
