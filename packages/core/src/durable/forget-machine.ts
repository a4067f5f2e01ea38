import type { Broker } from "../broker/broker.ts";
import type { Document } from "../broker/stores/document-store.ts";
import {
  type MachineDocument,
  machineKey,
  MACHINES_BUCKET,
  readMachine,
} from "./machine-document.ts";
import type { MachineRef } from "./machine-names.ts";

/** A machine, and the document of it that was seen. */
export interface SeenMachine extends MachineRef {
  readonly revision: number;
}

/**
 * Forgets a machine, with the timers that it left.
 *
 * Another life of its id may begin as soon as its document is gone, and two may be at this for one
 * machine. So no timer goes that was asked for after the machine was seen, and the document goes by
 * its revision. A machine that still waits for its timers loses them only once its document is
 * gone.
 *
 * @param mayGo asked of the document as it stands
 * @returns false where it does not stand as it was seen any more
 */
export async function forgetMachine(
  broker: Pick<Broker, "documents" | "inbox">,
  { revision, ...ref }: SeenMachine,
  mayGo: (document: MachineDocument) => boolean | Promise<boolean>,
): Promise<boolean> {
  const asked = await broker.inbox.ticksAsked();
  const documents = await broker.documents(MACHINES_BUCKET);
  const key = machineKey(ref);
  const found = await documents.get(key);
  const document = readMachine(found?.value);
  if (document === undefined || found?.revision !== revision) return false;
  if (!(await mayGo(document))) return false;
  // Where none is under way, none is left but on servers that keep those that were overtaken.
  const dropTicks = async (): Promise<void> => {
    if (document.tickAt !== undefined) await broker.inbox.dropTicks(ref, asked);
  };
  const isAwaited = document.status === "active" || document.unsent !== undefined;
  if (!isAwaited) await dropTicks();
  const isGone = await documents.erase(key, revision);
  if (isGone && isAwaited) await dropTicks();
  return isGone;
}

/** The same for one that can't be read: whether it has timers is not known. */
export async function forgetUnreadable(
  broker: Pick<Broker, "documents" | "inbox">,
  { revision, ...ref }: SeenMachine,
): Promise<boolean> {
  const asked = await broker.inbox.ticksAsked();
  const documents = await broker.documents(MACHINES_BUCKET);
  const isGone = await documents.erase(machineKey(ref), revision);
  if (isGone) await broker.inbox.dropTicks(ref, asked);
  return isGone;
}

/** @returns undefined for a machine that goes on, and for what is none */
export function endedIn(found: Pick<Document, "value"> | undefined): MachineDocument | undefined {
  const document = readMachine(found?.value);
  return document?.status === "active" ? undefined : document;
}
