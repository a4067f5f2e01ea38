import { MAX_EVENT_BYTES, MAX_WAITING_EVENTS } from "../broker/inbox-store.ts";
import { type MachineDocument, machineKey, type SentEvent } from "./machine-document.ts";

/** Until they are sent once more. */
const AGAIN_AFTER_MS = 1_000;

/** After they were sent once more: with those that were refused again. */
export function withUnsent(
  { unsent: _before, ...document }: MachineDocument,
  events: readonly SentEvent[],
  now: number,
): MachineDocument {
  return events.length === 0
    ? document
    : { ...document, unsent: { events, at: now + AGAIN_AFTER_MS } };
}

/** Events of one machine to another keep their order: a later one waits behind the earlier. */
export function behindUnsent(document: MachineDocument): MachineDocument {
  const { unsent, pending } = document;
  if (unsent === undefined) return document;
  const waitedFor = new Set(unsent.events.map(({ to }) => machineKey(to)));
  const behind: SentEvent[] = [];
  const rest = pending.filter((effect) => {
    if (effect.do !== "send" || !waitedFor.has(machineKey(effect.to))) return true;
    behind.push(effect);
    return false;
  });
  if (behind.length === 0) return document;
  return {
    ...document,
    pending: rest,
    unsent: { ...unsent, events: [...unsent.events, ...behind] },
  };
}

/** As many as may wait in an inbox, and not so large that the document could not be stored. */
export function isUnsentFull({ unsent }: Pick<MachineDocument, "unsent">): boolean {
  if (unsent === undefined) return false;
  if (unsent.events.length >= MAX_WAITING_EVENTS) return true;
  return JSON.stringify(unsent.events).length >= MAX_EVENT_BYTES;
}
