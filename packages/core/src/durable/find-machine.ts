import type { DocumentStore } from "../broker/stores/document-store.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import { isNoMachine, type MachineDocument, machineKey, readMachine } from "./machine-document.ts";
import type { MachineRef } from "./machine-names.ts";

/** What lies under a machine's id. */
export interface FoundMachine {
  /** Undefined where nobody has started it, and where it can't be read. */
  readonly document: MachineDocument | undefined;
  /** 0 where nothing is there. */
  readonly revision: number;
  /** Why what is there can't be read. */
  readonly unreadable?: string;
}

/**
 * A machine's document. An unreadable machine is told apart from a missing one: a host that took it
 * for missing would drop what comes to it, or start it anew.
 */
export async function findMachine(
  documents: DocumentStore,
  ref: MachineRef,
): Promise<FoundMachine> {
  const found = await documents.find(machineKey(ref));
  if (found === undefined) return { document: undefined, revision: 0 };
  const { revision } = found;
  if ("unreadable" in found) return { document: undefined, revision, unreadable: found.unreadable };
  const document = readMachine(found.value);
  if (document !== undefined || isNoMachine(found.value)) return { document, revision };
  return { document, revision, unreadable: "it is no machine of this version of Millrace" };
}

/** @throws MillraceError `machine-unreadable` */
export async function findReadable(
  documents: DocumentStore,
  ref: MachineRef,
): Promise<FoundMachine> {
  const found = await findMachine(documents, ref);
  if (found.unreadable === undefined) return found;
  const { machine, id } = ref;
  throw new MillraceError(
    "machine-unreadable",
    `What is stored of the machine ${machine} ${id} can't be read: ${found.unreadable}. What comes to it waits. A newer version of Millrace may read it; otherwise forget it: millrace machines remove ${machine} ${id} --force`,
  );
}
