import { MAX_EVENT_BYTES, MAX_WAITING_EVENTS } from "../broker/stores/inbox-store.ts";
import { type MachineDocument, machineKey, type SentEvent } from "./machine-document.ts";

/** Until they are sent once more, at first. It doubles with each time that all are refused. */
const AGAIN_AFTER_MS = 1_000;
const LONGEST_MS = 30_000;

/** After they were sent once more: with those that were refused again. */
export function sentInVain(
  { unsent: before, ...document }: MachineDocument,
  refused: readonly SentEvent[],
  now: number,
): MachineDocument {
  if (refused.length === 0) return document;
  const tries = refused.length === before?.events.length ? (before.tries ?? 0) + 1 : 0;
  const at = now + Math.min(AGAIN_AFTER_MS * 2 ** tries, LONGEST_MS);
  return { ...document, unsent: { events: refused, at, tries } };
}

/** With events that were refused for the first time: those come as soon as the first ones do. */
export function alsoUnsent(
  document: MachineDocument,
  refused: readonly SentEvent[],
  now: number,
): MachineDocument {
  const { events = [], at = Infinity } = document.unsent ?? {};
  const unsent = {
    ...{ events: [...events, ...refused], at: Math.min(at, now + AGAIN_AFTER_MS) },
    tries: 0,
  };
  return { ...document, unsent };
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
  return Buffer.byteLength(JSON.stringify(unsent.events)) >= MAX_EVENT_BYTES;
}
