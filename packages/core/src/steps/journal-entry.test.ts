import { expect, test } from "vitest";
import { decodeBody } from "../envelope/body.ts";
import { type JournalEntry, readEntry, writeEntry } from "./journal-entry.ts";

const own = { name: "pay", n: 0, at: 1, life: 2 } as const;
const error = { type: "Error", message: "declined" };
const failed = { ...own, kind: "run", outcome: "failed", error } as const;
const refused = {
  ...({ ...own, kind: "call", state: "ended" } as const),
  ...{ child: { id: "c", queue: "q" }, error },
};

/** In which life an earlier version takes it to be on record. */
function lifeToEarlier(entry: JournalEntry): unknown {
  return (decodeBody(writeEntry(entry), "application/msgpack") as { readonly life: unknown }).life;
}

test.each<[string, JournalEntry]>([
  ["a step", failed],
  ["a call", refused],
])(
  "an earlier version does not take a failure of %s that stands for one attempt for one of its life",
  (_what, entry) => {
    const kept = { ...entry, attempts: 3 } as JournalEntry;
    expect(readEntry(writeEntry(kept))).toEqual(kept);
    expect(lifeToEarlier(kept)).not.toBe(2);
    expect(lifeToEarlier(kept)).toBeGreaterThanOrEqual(0);
    expect(lifeToEarlier(entry)).toBe(2);
    expect(readEntry(writeEntry(entry))).toEqual(entry);
  },
);
