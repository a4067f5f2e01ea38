import type { InboxMessage, MachineDocument } from "@millrace/core";
import { readJson } from "./end-message.ts";

/** What a tick says: the document that asked for it. */
export type TickMark = Pick<MachineDocument, "run" | "rev"> & Again;

interface Again {
  /** It was asked for once more: the first may come as well. Nodes of older versions read it. */
  readonly again?: true;
  /** How many in a row were asked for so. Older nodes say nothing of it. */
  readonly times?: number;
}

/**
 * Each of these could only be lost by one more host that stood still while it asked for it, and
 * died. Without a bound a tick would breed another for ever where both come.
 */
const MOST_TIMES = 3;

/** @returns a mark of no document for bytes that no node wrote */
export function readTickMark(data: Uint8Array): TickMark {
  const { run, rev, again, times } = (readJson(data) ?? {}) as Partial<Record<string, unknown>>;
  const isAgain = again === true;
  return {
    ...{ run: String(run), rev: Number(rev) },
    ...(isAgain ? { again, times: Number.isSafeInteger(times) ? Number(times) : 1 } : {}),
  };
}

/**
 * How the next is marked that is asked for because of this message. Only a tick has a mark: what
 * anybody sends is not read for one.
 */
export function askedAgain({ kind, data }: Pick<InboxMessage, "kind" | "data">): Again {
  const times = kind === "tick" ? (readTickMark(data).times ?? 0) : 0;
  return { again: true, times: times + 1 };
}

/**
 * Whether a tick is one of an earlier document: a host that stood still may have asked for it after
 * another had gone on, and have died before it saw that. One tick is kept for a machine.
 */
export function mayHaveReplaced(document: MachineDocument | undefined, data: Uint8Array): boolean {
  const { run, rev, times = 0 } = readTickMark(data);
  return document?.run === run && rev < document.tickRev && times < MOST_TIMES;
}
