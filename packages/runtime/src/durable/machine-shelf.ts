import {
  type Broker,
  type DocumentStore,
  findReadable,
  type MachineDocument,
  machineKey,
  type MachineRef,
  MACHINES_BUCKET,
  MillraceError,
  NO_MACHINE,
} from "@millrace/core";
import { asStored } from "./machine-size.ts";

/** A machine as it was read or written, and what the next write is compared with. */
export interface Shelved {
  readonly document: MachineDocument | undefined;
  readonly revision: number;
}

/** One that is there. */
export type Known = Shelved & { readonly document: MachineDocument };

/** The error of a read that says nothing of newer documents: what it was for is tried again. */
export function oldDocument(): MillraceError {
  return new MillraceError("conflict", "The machine's document that was read is an old one.");
}

/** The machines' documents. */
export class MachineShelf {
  readonly #documents: DocumentStore;

  private constructor(documents: DocumentStore) {
    this.#documents = documents;
  }

  static async open(broker: Pick<Broker, "documents">): Promise<MachineShelf> {
    return new MachineShelf(await broker.documents(MACHINES_BUCKET));
  }

  /** @throws MillraceError `machine-unreadable` */
  read(ref: MachineRef): Promise<Shelved> {
    return findReadable(this.#documents, ref);
  }

  /**
   * @returns it as the next host reads it: two hosts decide by the same
   * @throws MillraceError `revision-conflict` where it was written since it was read
   */
  async write(given: MachineDocument, { revision }: Shelved): Promise<Known> {
    const document = asStored(given);
    return {
      document,
      revision: await this.#documents.put(machineKey(document), document, revision),
    };
  }

  /**
   * Makes sure that there is no such machine: a read alone may be answered by somebody who has not
   * heard of it yet, and a write is not.
   *
   * @throws MillraceError `revision-conflict` where there is one
   */
  async requireAbsent(ref: MachineRef, { revision }: Shelved): Promise<Shelved> {
    const key = machineKey(ref);
    const mark = await this.#documents.put(key, NO_MACHINE, revision);
    await this.#documents.erase(key, mark);
    return { document: undefined, revision: 0 };
  }
}
