import {
  type Broker,
  machineKey,
  type MachineSnapshot,
  machineSnapshot,
  MACHINES_BUCKET,
  type MachineStatus,
  MillraceError,
  optionNames,
  readMachine,
  refuseUnknown,
  requireMachineId,
  requireMachineName,
} from "@millrace/core";

/** Which machines are listed. */
export interface MachinesQuery {
  /** The definition's name. Default: all. */
  readonly machine?: string;
  readonly status?: MachineStatus;
  /** Default 100. */
  readonly limit?: number;
}

/** Looking at durable machines, and forgetting them. */
export interface Machines {
  /**
   * Those that changed last come first. Reads all machines there are: for looking, not for working.
   */
  list(query?: MachinesQuery): Promise<readonly MachineSnapshot[]>;
  /**
   * Forgets a machine that has come to an end; then its id may be started anew. Until then it is
   * kept.
   *
   * @returns false where there is none
   * @throws MillraceError `machine-active` where it has not ended: `stop()` it first
   */
  remove(machine: string, id: string): Promise<boolean>;
}

const NAMES = optionNames<MachinesQuery>({ machine: true, status: true, limit: true });

export function machinesOf(broker: Broker): Machines {
  return {
    list: async (query = {}) => {
      refuseUnknown(query, NAMES, "machines.list()");
      const { machine, status, limit = 100 } = query;
      if (machine !== undefined) requireMachineName(machine);
      const documents = await broker.documents(MACHINES_BUCKET);
      return (await documents.list())
        .map(({ value }) => readMachine(value))
        .filter((one) => one !== undefined)
        .filter((one) => machine === undefined || one.machine === machine)
        .filter((one) => status === undefined || one.status === status)
        .toSorted((a, b) => b.changedAt - a.changedAt)
        .slice(0, limit)
        .map((one) => machineSnapshot(one));
    },
    remove: async (machine, id) => {
      const key = machineKey({ machine: requireMachineName(machine), id: requireMachineId(id) });
      const documents = await broker.documents(MACHINES_BUCKET);
      const found = await documents.get(key);
      const document = readMachine(found?.value);
      if (found === undefined || document === undefined) return false;
      if (document.status === "active")
        throw new MillraceError(
          "machine-active",
          `The machine ${machine} ${id} has not come to an end. Stop it first.`,
        );
      return documents.erase(key, found.revision);
    },
  };
}
