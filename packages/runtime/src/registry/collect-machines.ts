import { isMachine, type MachineDefinition, MillraceError } from "@millrace/core";

/**
 * The durable machines among a module's exports, named or default; a list of them counts too. One
 * that is exported twice comes once.
 */
export function collectMachines(exports: object): readonly MachineDefinition[] {
  return [...new Set(Object.values(exports).flat().filter(isMachine))];
}

/** @throws MillraceError `invalid-option` where something is no machine, or two have one name */
export function requireMachines(machines: readonly unknown[]): readonly MachineDefinition[] {
  const byName = new Map<string, MachineDefinition>();
  for (const machine of machines) {
    if (!isMachine(machine))
      throw new MillraceError(
        "invalid-option",
        "machines: give the node what defineMachine() returns.",
      );
    const known = byName.get(machine.name);
    if (known !== undefined && known !== machine)
      throw new MillraceError(
        "invalid-option",
        `machines: two are called ${machine.name}. Each needs a name of its own.`,
      );
    byName.set(machine.name, machine);
  }
  return [...byName.values()];
}

/** The queues of the jobs that machines invoke. They may be served elsewhere, or later. */
export function invokedQueues(machines: readonly MachineDefinition[]): readonly string[] {
  return machines.flatMap(({ jobs }) => Object.values(jobs).map(({ queue }) => queue));
}
