import type { MachineSnapshot } from "@millrace/core";
import { shownError } from "@millrace/telemetry/masking";

/**
 * A machine as it is shown: with what its context and its errors hold masked. So are its events: a
 * type is whatever its sender wrote.
 */
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
      : {
          trouble: {
            ...trouble,
            event: String(show(trouble.event)),
            error: shownError(trouble.error, show),
          },
        }),
    trail: snapshot.trail.map((passage) => ({ ...passage, event: String(show(passage.event)) })),
    timers: snapshot.timers.map(({ event, ...timer }) => ({
      ...timer,
      event: show(event) as typeof event,
    })),
  };
}
