import type { DeadGroupView, RefView } from "../src/api/views.ts";
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
}): string => `/jobs${queryOf(filter)}`;

/** A name or an error that is left out stands for letters that have none. */
export const groupAddress = (
  { queue, name, reason, error }: Pick<DeadGroupView, "queue" | "name" | "reason" | "error">,
  filter = "",
): string => `/dead/group${queryOf({ queue, name, reason, error, filter })}`;

export const operationAddress = (id: string): string => `/${pathOf("operations", id)}`;
