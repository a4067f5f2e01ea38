import type { Broker } from "../broker/broker.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import { type RecordedError, recordError } from "../errors/recorded-error.ts";
import { isUnfit } from "../errors/unfit.ts";
import { tryStored } from "./check-stored.ts";
import type { MachineDefinition } from "./define-machine.ts";
import { machineKey, MACHINES_BUCKET, readMachine } from "./machine-document.ts";
import type { MachineRef } from "./machine-names.ts";

/**
 * What became of a stored machine that was to be migrated. `current`: there is nothing to migrate,
 * or it is not there any more. `busy`: something is being done for it.
 */
export type StoredMigration =
  | { readonly state: "migrated" | "current" | "busy" }
  | { readonly state: "failed"; readonly error: RecordedError };

/**
 * Stores a machine as its definition's version has it, without an event that comes to it.
 *
 * If a host may still be at work on what follows from the last event, the document stays. That host
 * would take the new one for another host's, which has done that work too.
 */
export async function migrateStored(
  broker: Pick<Broker, "documents" | "inbox">,
  definition: MachineDefinition,
  ref: MachineRef,
): Promise<StoredMigration> {
  const documents = await broker.documents(MACHINES_BUCKET);
  const key = machineKey(ref);
  const found = await documents.get(key);
  const document = readMachine(found?.value);
  if (found === undefined || document?.status !== "active") return { state: "current" };
  const tried = tryStored(definition, document);
  if (!tried.ok) return { state: "failed", error: tried.error };
  if (document.version === definition.version) return { state: "current" };
  if (document.pending.length > 0 && (await broker.inbox.has(document.cause)))
    return { state: "busy" };
  const next = { ...tried.document, rev: document.rev + 1, pending: [] };
  try {
    await documents.put(key, next, found.revision);
    return { state: "migrated" };
  } catch (failure) {
    if (MillraceError.is(failure, "revision-conflict")) return { state: "busy" };
    // What this one machine has in it is to blame: others may be stored all the same.
    if (!isUnfit(failure)) throw failure;
    const { type, message } = recordError(failure);
    return { state: "failed", error: { type, message } };
  }
}
