import type { MachineDocument } from "@millrace/core";
import { readJson } from "./end-message.ts";

/** What a tick says: the document that asked for it. */
export type TickMark = Pick<MachineDocument, "run" | "rev">;

/** @returns a mark of no document for bytes that no node wrote */
export function readTickMark(data: Uint8Array): TickMark {
  const { run, rev } = (readJson(data) ?? {}) as Partial<Record<string, unknown>>;
  return { run: String(run), rev: Number(rev) };
}
