import { constants } from "node:os";

/** What ends a command, gracefully where it can. */
export const SIGNALS = ["SIGTERM", "SIGINT"] as const;

/**
 * Ends the process at a signal for as long as nothing is running that could be stopped gracefully.
 * As process 1 of a container Node would ignore the signal otherwise.
 *
 * @returns a function that ends this, for when a node takes over
 */
export function exitOnSignals(): () => void {
  const exit = (signal: (typeof SIGNALS)[number]): void =>
    process.exit(128 + constants.signals[signal]);
  for (const signal of SIGNALS) process.on(signal, exit);
  return () => {
    for (const signal of SIGNALS) process.off(signal, exit);
  };
}
