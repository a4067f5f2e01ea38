import {
  activeStates,
  type Broker,
  chartsKey,
  findMachine,
  findReadable,
  forgetMachine,
  forgetUnreadable,
  type MachineChart,
  type MachineDocument,
  MACHINES_BUCKET,
  type MachineStatus,
  MillraceError,
  optionNames,
  readCharts,
  refuseUnknown,
  requireMachineId,
  requireMachineName,
  requireCount,
} from "@millrace/core";
import { runtimeCharts } from "@millrace/runtime";
import {
  eachMachine,
  listMachines,
  type MachinesPage,
  type MachinesQuery,
} from "./list-machines.ts";
import { alone, among, type CallLimits, LIMITS, type LimitsPlaces } from "../call-limits.ts";

/** Which of a machine's charts is meant. */
export interface MachineChartQuery extends CallLimits {
  readonly version?: number;
}

/** How a machine is removed. */
export interface RemoveMachineOptions extends CallLimits {
  /** Also one that goes on, or that keeps events for others. Default false. */
  readonly force?: boolean;
}

/** Machines of one name, counted. */
export interface MachineCount {
  readonly byStatus: Readonly<Record<MachineStatus, number>>;
  /**
   * Counts the active machines by the path of their state: `{ "waiting.quiet": 12 }`. In parallel
   * regions one machine is in several.
   */
  readonly byState: Readonly<Record<string, number>>;
}

/** Looking at durable machines, and forgetting them. */
export interface Machines {
  /**
   * A page of them, those that changed last first. A machine that changes between two pages moves
   * to the beginning. A page looks at 10,000 machines at most: where few are asked for, it may have
   * fewer than `limit`, even none, and a `next` all the same.
   *
   * @example
   * const waiting = { machine: "order", state: "approval" };
   * const first = await millrace.machines.list(waiting);
   * const second = await millrace.machines.list({ ...waiting, after: first.next });
   */
  list(query?: MachinesQuery): Promise<MachinesPage>;
  /**
   * The picture of a machine's chart: its states, and the ways between them. The nodes that host
   * the machine have stored it.
   *
   * @param options.version default: the newest that a node has told
   * @returns undefined where no node has told one
   * @example
   * const chart = await millrace.machines.chart("order");
   * chart?.states.map(({ path }) => path); // ["charging", "waiting", "waiting.quiet", …]
   */
  chart(machine: string, options?: MachineChartQuery): Promise<MachineChart | undefined>;
  /**
   * The charts of the runtime's own machines: `execution` (one delivery of a job), `node`,
   * `scheduler` and `lock` (one request for a lock). Of this version of Millrace.
   */
  runtimeCharts(): readonly MachineChart[];
  /** How many of one name there are. Reads all of that name. */
  count(machine: string, limits?: CallLimits): Promise<MachineCount>;
  /**
   * Forgets a machine that has come to an end; then its id may be started anew. Until then it is
   * kept.
   *
   * With `force` it is forgotten as it stands: for one that no event, not even a stop, can move.
   * Its state, its timers and the events that it keeps for other machines are lost. Its jobs go on,
   * and nobody hears of their end. What waits in its inbox is dropped when a node comes to it.
   *
   * An unreadable machine is forgotten with `force` only.
   *
   * @returns false where there is none, or where it changed at this very moment
   * @throws MillraceError `machine-unreadable`; `machine-active` where it has not ended: `stop()`
   *   it first; and where it keeps events that other machines have no room for
   */
  remove(machine: string, id: string, options?: RemoveMachineOptions): Promise<boolean>;
}

const REMOVE_NAMES = optionNames<RemoveMachineOptions>({ force: true, ...LIMITS });
const CHART_NAMES = optionNames<MachineChartQuery>({ version: true, ...LIMITS });
export const MACHINES_LIMITS: LimitsPlaces<Omit<Machines, "runtimeCharts">> = {
  ...{ list: among(0), chart: among(1), count: alone(1), remove: among(2) },
};

export function machinesOf(broker: Broker): Machines {
  return {
    list: async (query = {}) =>
      listMachines(await broker.documents(MACHINES_BUCKET, { look: true }), query),
    chart: async (machine, query = {}) => {
      refuseUnknown(query, CHART_NAMES, "machines.chart()");
      if (query.version !== undefined) requireCount(query.version, "version");
      const documents = await broker.documents(MACHINES_BUCKET, { look: true });
      const found = await documents.get(chartsKey(requireMachineName(machine)));
      const charts = readCharts(found?.value)?.charts ?? [];
      const { version = charts.at(-1)?.version } = query;
      return charts.find((chart) => chart.version === version);
    },
    runtimeCharts,
    count: async (machine) => {
      requireMachineName(machine);
      const documents = await broker.documents(MACHINES_BUCKET, { look: true });
      const stands = new Map<string, Pick<MachineDocument, "status" | "value">>();
      for await (const { id, status, value } of eachMachine(documents, machine))
        stands.set(id, { status, value });
      const byStatus = { active: 0, done: 0, error: 0, stopped: 0 };
      const byState = new Map<string, number>();
      for (const { status, value } of stands.values()) {
        byStatus[status] += 1;
        if (status !== "active") continue;
        for (const path of activeStates(value)) byState.set(path, (byState.get(path) ?? 0) + 1);
      }
      return { byStatus, byState: Object.fromEntries(byState) };
    },
    remove: async (machine, id, options = {}) => {
      refuseUnknown(options, REMOVE_NAMES, "machines.remove()");
      const { force = false } = options;
      const ref = { machine: requireMachineName(machine), id: requireMachineId(id) };
      const documents = await broker.documents(MACHINES_BUCKET, { look: true });
      if (force) {
        const { unreadable, revision } = await findMachine(documents, ref);
        if (unreadable !== undefined) return forgetUnreadable(broker, { ...ref, revision });
      }
      const { document, revision } = await findReadable(documents, ref);
      if (document === undefined) return false;
      if (!force && document.status === "active")
        throw new MillraceError(
          "machine-active",
          `The machine ${machine} ${id} has not come to an end. Stop it first.`,
        );
      if (!force && document.unsent !== undefined)
        throw new MillraceError(
          "machine-active",
          `The machine ${machine} ${id} has ended, but still keeps ${document.unsent.events.length} of its events: the machines that they are for have no room. Wait until it has sent them.`,
        );
      return forgetMachine(
        broker,
        { ...ref, revision },
        ({ status, unsent }) => force || (status !== "active" && unsent === undefined),
      );
    },
  };
}
