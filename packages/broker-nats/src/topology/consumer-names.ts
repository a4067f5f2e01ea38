/** The one durable consumer of the signals. */
export const WAKER_CONSUMER = "wakers";
/** The one durable consumer of the delayed stream. */
export const MOVER_CONSUMER = "mover";

/** The durable consumer of what comes to one name's machines, in each of their two streams. */
export function machineConsumer(machine: string): string {
  return `machine-${machine}`;
}
