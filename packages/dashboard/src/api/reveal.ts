import { hasJsonForm, isPlainMap, type StoredDeadLetter } from "@millrace/core";
import { payloadOf, showValue } from "@millrace/telemetry/masking";
import type { FleetFilter } from "../fleet/fleet-audit.ts";
import type { Asking } from "./changes/changes.ts";
import { machine } from "./machines.ts";
import { storedJob } from "./reads.ts";
import { jobView } from "./show.ts";
import type { EditedBy, RevealedView } from "./views/views.ts";

const show = showValue(true);

export function revealedJob(queue: string, id: string, asking: Asking): Promise<RevealedView> {
  return onRecord("jobs reveal", { queue, id }, asking, async () => {
    const stored = await storedJob(asking.fleet, queue, id);
    const { letter, result, cargo } = jobView(stored.found, stored.letter, show);
    return {
      ...(cargo === undefined ? {} : { headers: cargo.headers, payload: cargo.payload }),
      ...(letter === undefined ? {} : { headers: letter.headers }),
      ...(letter?.payload === undefined ? {} : { payload: letter.payload }),
      ...(stored.letter === undefined
        ? {}
        : { editedBy: editedBy(stored.letter, letter?.payload !== undefined) }),
      ...(result === undefined ? {} : { result }),
    };
  });
}

function editedBy(letter: StoredDeadLetter, isShown: boolean): EditedBy {
  // Also of what has more values than are shown: the message bounds them.
  const stored = payloadOf(letter, (value) => value, Number.POSITIVE_INFINITY);
  if (!("payload" in stored)) return "replace";
  // Bytes, times and the like are shown, but what is shown is not what is stored.
  if (isShown && hasJsonForm(stored.payload)) return "text";
  return stored.payload === null || isPlainMap(stored.payload) ? "merge" : "replace";
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
