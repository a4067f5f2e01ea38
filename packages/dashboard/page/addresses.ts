import type { RefView } from "../src/api/views.ts";
import type { DeadGroupView } from "../src/api/dead-views.ts";
import { pathOf, queryOf } from "./api.ts";

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

/**
 * A name or an error that is left out stands for letters that have none; without a fingerprint all
 * letters with that type of error are meant.
 */
export const groupAddress = (
  group: Pick<DeadGroupView, "queue" | "name" | "reason" | "error" | "fingerprint">,
  filter = "",
): string => {
  const { queue, name, reason, error, fingerprint } = group;
  return `/dead/group${queryOf({ queue, name, reason, error, fingerprint, filter })}`;
};

export const operationAddress = (id: string): string => `/${pathOf("operations", id)}`;
