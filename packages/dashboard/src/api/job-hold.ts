import type { ShowValue } from "@millrace/telemetry/masking";
import type { Fleet } from "../fleet/fleet.ts";
import type { HoldAnswerView, JobHoldView } from "./views/hold-views.ts";

/** What a job waits for. It is asked for apart from the job: all locks are read for it. */
export async function jobHold(
  { fleet, show }: { readonly fleet: Pick<Fleet, "jobs">; readonly show: ShowValue },
  queue: string,
  id: string,
): Promise<HoldAnswerView> {
  const { hold } = await fleet.jobs.get(id, { queue, hold: true });
  return hold === undefined ? {} : { hold: shownHold(hold, show) };
}

/** Gates and keys are what a producer wrote, and a reason is what anybody did. */
function shownHold(hold: JobHoldView, show: ShowValue): JobHoldView {
  if (hold.kind === "gate") {
    const { gate, key, locks } = hold;
    return {
      ...{ ...hold, gate: String(show(gate)) },
      ...(key === undefined ? {} : { key: String(show(key)) }),
      locks: locks.map(({ name, holder, since }) => ({
        ...{ name: String(show(name)), holder },
        ...(since === undefined ? {} : { since }),
      })),
    };
  }
  if (hold.kind !== "paused" || hold.reason === undefined) return hold;
  return { ...hold, reason: String(show(hold.reason)) };
}
