import { defined, MillraceError } from "@millrace/core";
import type { Fleet, FleetOperationTarget } from "../fleet/fleet.ts";
import { takeTurns } from "../fleet/take-turns.ts";
import type { CountView } from "./views/views.ts";

/** For somebody who waits for it before a dialog. */
const COUNT_TIME = "10s";

/**
 * Counts what operations would be about, one after the other: each may read all that waits, and
 * several at once would hold up everybody who looks at the page.
 *
 * @param signal of the request: who has left needs no answer
 * @returns `more` alone where it can't be counted in this time
 */
export function countsInTurn(
  fleet: Pick<Fleet, "operations">,
): (target: FleetOperationTarget, signal: AbortSignal) => Promise<CountView> {
  const inTurn = takeTurns();
  return (target, signal) =>
    inTurn(async () => {
      let unanswered: number | undefined;
      const onUnanswered = (nodes: number): void => void (unanswered = nodes);
      const limits = { signal, timeout: COUNT_TIME } as const;
      try {
        const count = await fleet.operations.count({ ...target, ...limits, onUnanswered });
        return { count, ...defined({ unanswered }) };
      } catch (error) {
        if (MillraceError.is(error, "request-timeout")) return { count: 0, more: true };
        throw error;
      }
    }, signal);
}
