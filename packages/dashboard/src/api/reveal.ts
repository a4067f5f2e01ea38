import { showValue } from "@millrace/telemetry/masking";
import type { FleetFilter } from "../fleet/fleet-audit.ts";
import type { Asking } from "./changes/changes.ts";
import { machine } from "./machines.ts";
import { job } from "./reads.ts";
import type { RevealedView } from "./views/views.ts";

const show = showValue(true);

export function revealedJob(queue: string, id: string, asking: Asking): Promise<RevealedView> {
  return onRecord("jobs reveal", { queue, id }, asking, async () => {
    const { letter, result, cargo } = await job({ ...asking, show }, queue, id);
    return {
      ...(cargo === undefined ? {} : { headers: cargo.headers, payload: cargo.payload }),
      ...(letter === undefined ? {} : { headers: letter.headers }),
      ...(letter?.payload === undefined ? {} : { payload: letter.payload }),
      ...(result === undefined ? {} : { result }),
    };
  });
}

export function revealedMachine(name: string, id: string, asking: Asking): Promise<RevealedView> {
  return onRecord("machines reveal", { machine: name, id }, asking, async () => {
    const { context, output } = await machine({ ...asking, show }, name, id);
    return { context, ...(output === undefined ? {} : { output }) };
  });
}

/** The audit names the user before anything is read: without a record nothing is shown. */
function onRecord(
  action: string,
  filter: FleetFilter,
  { fleet, user }: Asking,
  read: () => Promise<RevealedView>,
): Promise<RevealedView> {
  return fleet.audit.perform({ action, filter, by: user.name }, read);
}
