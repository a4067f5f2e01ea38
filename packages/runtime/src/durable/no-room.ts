import { isUnsentFull, type MachineDocument, machineKey, MillraceError } from "@millrace/core";
import type { MachineShelf } from "./machine-shelf.ts";

/** Of machines that wait for one another. More than these are not looked at. */
const MOST_WAITING = 100;

/**
 * Why an event can't be taken by a machine that has as many unsent ones as it may have.
 *
 * @returns where each machine that they are for, and each that those wait for, is in the same
 *   position: none of them would ever go on, so the event fails
 * @throws MillraceError `queue-full` otherwise: the event waits until there is room
 */
export async function noRoom(
  shelf: Pick<MachineShelf, "read">,
  document: MachineDocument,
): Promise<MillraceError> {
  const waiting = new Map([[machineKey(document), document]]);
  // It is added to meanwhile.
  for (const { unsent } of waiting.values())
    for (const { to } of unsent?.events ?? []) {
      if (waiting.has(machineKey(to))) continue;
      const { document: other } = await shelf.read(to);
      if (other === undefined || !isUnsentFull(other) || waiting.size >= MOST_WAITING)
        throw new MillraceError(
          "queue-full",
          `As many events of the machine ${machineKey(document)} wait for ${machineKey(to)} as may.`,
        );
      waiting.set(machineKey(to), other);
    }
  return new MillraceError(
    "queue-full",
    `It sends to machines that wait for each other (${[...waiting.keys()].slice(0, 5).join(", ")}), and as many of its events wait already as may.`,
  );
}
