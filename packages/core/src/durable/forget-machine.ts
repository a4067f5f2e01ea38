import type { Broker } from "../broker/broker.ts";
import type { Document } from "../broker/document-store.ts";
import {
  type MachineDocument,
  machineKey,
  MACHINES_BUCKET,
  readMachine,
} from "./machine-document.ts";
import type { MachineRef } from "./machine-names.ts";

/** A machine that has come to an end, and the document that says so. */
export interface EndedMachine extends MachineRef {
  readonly revision: number;
}

/**
 * Forgets a machine that has come to an end, with the timers that it left.
 *
 * Another life of its id may begin as soon as its document is gone, and two may be at this for one
 * machine. So no timer goes that was asked for after the end was seen, and the document goes by its
 * revision.
 *
 * @returns false where it does not stand as it was seen any more
 */
export async function forgetMachine(
  broker: Pick<Broker, "documents" | "inbox">,
  { revision, ...ref }: EndedMachine,
  mayGo: (ended: MachineDocument) => Promise<boolean> = async () => true,
): Promise<boolean> {
  const asked = await broker.inbox.ticksAsked();
  const documents = await broker.documents(MACHINES_BUCKET);
  const key = machineKey(ref);
  const found = await documents.get(key);
  const ended = endedIn(found);
  if (ended === undefined || found?.revision !== revision || !(await mayGo(ended))) return false;
  // Where none is under way, none is left but on servers that keep those that were overtaken.
  if (ended.tickAt !== undefined) await broker.inbox.dropTicks(ref, asked);
  return documents.erase(key, revision);
}

/** @returns undefined for a machine that goes on, and for what is none */
export function endedIn(found: Pick<Document, "value"> | undefined): MachineDocument | undefined {
  const document = readMachine(found?.value);
  return document?.status === "active" ? undefined : document;
}
