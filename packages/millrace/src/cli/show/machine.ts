import type { MachineSnapshot } from "@millrace/core";
import { shownError } from "@millrace/telemetry/masking";

/** A machine as it is shown: with what its context and its errors hold masked. */
export function shownMachine(
  { matches: _matches, ...snapshot }: MachineSnapshot,
  show: (value: unknown) => unknown,
): Omit<MachineSnapshot, "matches"> {
  const { context, output, error, trouble } = snapshot;
  return {
    ...snapshot,
    context: show(context),
    ...(output === undefined ? {} : { output: show(output) as never }),
    ...(error === undefined ? {} : { error: shownError(error, show) }),
    ...(trouble === undefined
      ? {}
      : { trouble: { ...trouble, error: shownError(trouble.error, show) } }),
    timers: snapshot.timers.map(({ event, ...timer }) => ({
      ...timer,
      event: show(event) as typeof event,
    })),
  };
}
