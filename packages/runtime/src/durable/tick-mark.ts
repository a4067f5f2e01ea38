import type { MachineDocument } from "@millrace/core";
import { readJson } from "./end-message.ts";

/** What a tick says: the document that asked for it. */
export type TickMark = Pick<MachineDocument, "run" | "rev"> & {
  /** It was asked for once more: the first may come as well. */
  readonly again?: true;
};

/** @returns a mark of no document for bytes that no node wrote */
export function readTickMark(data: Uint8Array): TickMark {
  const { run, rev, again } = (readJson(data) ?? {}) as Partial<Record<string, unknown>>;
  return { run: String(run), rev: Number(rev), ...(again === true ? { again } : {}) };
}

/**
 * Whether a tick is one of an earlier document: a host that stood still may have asked for it after
 * another had gone on, and have died before it saw that. One tick is kept for a machine.
 */
export function mayHaveReplaced(document: MachineDocument | undefined, data: Uint8Array): boolean {
  const { run, rev, again } = readTickMark(data);
  return document?.run === run && rev < document.tickRev && again === undefined;
}
