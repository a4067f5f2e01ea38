import { MillraceError } from "@millrace/core";
import type { OutboxStore, SetAside } from "./outbox-store.ts";

/** What the relay of queues needs of a store. */
export type QueueStore = Pick<
  OutboxStore,
  "queues" | "mark" | "claim" | "setAside" | "replace" | "finish" | "note"
>;

type Write = (text: string) => string;

/** Of what is said of a row or a queue: a name in it may be as long as a payload. */
const MOST_TOLD = 2_000;
const BEYOND_ASCII = /[^\n -~]/;

/**
 * A store that can keep what is said of rows and queues, whatever of them is quoted in it: there is
 * no NUL and no half of a letter in it, and a letter that the database's encoding lacks is written
 * as its number.
 */
export function tellingStore(store: OutboxStore): QueueStore {
  return {
    queues: () => store.queues(),
    mark: (queue) => store.mark(queue),
    claim: (queue, limits) => store.claim(queue, limits),
    replace: (queue, claim, seq, jobs) => store.replace(queue, claim, seq, jobs),
    setAside: (queue, claim, rows) =>
      stored(detailsOf(rows), (write) => store.setAside(queue, claim, written(rows, write))),
    finish: (queue, claim, rows) =>
      stored(detailsOf(rows), (write) => store.finish(queue, claim, written(rows, write))),
    note: (queue, trouble) =>
      stored(trouble ?? "", (write) =>
        store.note(queue, trouble === undefined ? undefined : write(trouble)),
      ),
  };
}

async function stored(text: string, keep: (write: Write) => Promise<void>): Promise<void> {
  try {
    await keep(storable);
  } catch (error) {
    if (!MillraceError.is(error, "outbox-failed") || !BEYOND_ASCII.test(text)) throw error;
    await keep(inAscii);
  }
}

function detailsOf(rows: readonly SetAside[]): string {
  return rows.map(({ detail }) => detail).join("");
}

function written(rows: readonly SetAside[], write: Write): readonly SetAside[] {
  return rows.map((row) => ({ ...row, detail: write(row.detail) }));
}

function storable(text: string): string {
  return escaped(text, (letter) => letter === "\0");
}

function inAscii(text: string): string {
  return escaped(text, (letter) => BEYOND_ASCII.test(letter));
}

/** As much as is told of it, with such letters as their numbers, and none of them cut. */
function escaped(text: string, isUnstorable: (letter: string) => boolean): string {
  let kept = "";
  for (const letter of text.slice(0, MOST_TOLD).toWellFormed()) {
    const written = isUnstorable(letter) ? letter.split("").map(asNumber).join("") : letter;
    if (kept.length + written.length > MOST_TOLD) break;
    kept += written;
  }
  return kept;
}

function asNumber(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
