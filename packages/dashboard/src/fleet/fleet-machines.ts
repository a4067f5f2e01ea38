import type { MachineChart, MachineSnapshot, MachineStatus } from "@millrace/core";

/** A durable machine as it stands. */
export type FleetMachineState = Omit<MachineSnapshot, "matches">;

/** A durable machine, from outside. */
export interface FleetMachine {
  snapshot(): Promise<FleetMachineState>;
  send(event: { readonly type: string }): Promise<void>;
  /** Unless it was started before. */
  start(input: undefined): Promise<void>;
  stop(): Promise<void>;
}

export interface FleetMachines {
  list(query: {
    readonly machine?: string;
    readonly status?: MachineStatus;
    readonly state?: string;
    readonly limit: number;
    readonly after?: number;
  }): Promise<{ readonly machines: readonly FleetMachineState[]; readonly next?: number }>;
  chart(machine: string, options: { readonly version?: number }): Promise<MachineChart | undefined>;
  runtimeCharts(): readonly MachineChart[];
  count(machine: string): Promise<{ readonly byState: Readonly<Record<string, number>> }>;
  /** @returns whether it was there */
  remove(machine: string, id: string, options: { readonly force: boolean }): Promise<boolean>;
}
