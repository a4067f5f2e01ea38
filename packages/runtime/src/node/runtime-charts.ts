import { chartOf, executionMachine, type MachineChart } from "@millrace/core";
import { lockMachine } from "../lock/lock-machine.ts";
import { schedulerMachine } from "../scheduler/scheduler-machine.ts";
import { nodeMachine } from "./node-machine.ts";

/** The charts of the runtime's own machines, read off their definitions. */
export function runtimeCharts(): readonly MachineChart[] {
  const version = 1;
  return [
    chartOf("execution", version, executionMachine),
    chartOf("node", version, nodeMachine),
    chartOf("scheduler", version, schedulerMachine),
    chartOf("lock", version, lockMachine),
  ];
}
