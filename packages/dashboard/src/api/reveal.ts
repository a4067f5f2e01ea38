import { hasJsonForm, type StoredDeadLetter } from "@millrace/core";
import { payloadOf, showValue } from "@millrace/telemetry/masking";
import type { FleetFilter } from "../fleet/fleet-audit.ts";
import type { Asking } from "./changes/changes.ts";
import { machine } from "./machines.ts";
import { storedJob } from "./reads.ts";
import { jobView } from "./show.ts";
import type { RevealedView } from "./views/views.ts";

const show = showValue(true);

export function revealedJob(queue: string, id: string, asking: Asking): Promise<RevealedView> {
  return onRecord("jobs reveal", { queue, id }, asking, async () => {
    const stored = await storedJob(asking.fleet, queue, id);
    const { letter, result, cargo } = jobView(stored.found, stored.letter, show);
    return {
      ...(cargo === undefined ? {} : { headers: cargo.headers, payload: cargo.payload }),
      ...(letter === undefined ? {} : { headers: letter.headers }),
      ...(letter?.payload === undefined ? {} : { payload: letter.payload }),
      ...(stored.letter === undefined ? {} : { payloadIsJson: isJson(stored.letter) }),
      ...(result === undefined ? {} : { result }),
    };
  });
}

/** Bytes, times and the like are shown, but what is shown is not what is stored. */
function isJson(letter: StoredDeadLetter): boolean {
  const stored = payloadOf(letter, (value) => value);
  return "payload" in stored && hasJsonForm(stored.payload);
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
