import type { LockView } from "@millrace/core";
import { keyHash, readGate } from "@millrace/runtime";

/** Of the locks that are held those that keep a gate shut; none of a rate. */
export function locksAtGate(gate: string, held: readonly LockView[]): readonly LockView[] {
  const read = readGate(gate);
  switch (read?.kind) {
    case "singleton":
      return held.filter(({ name }) => name === read.lock);
    case "cap": {
      const permits = `cap/${read.queue}/${keyHash(read.key)}/`;
      return held.filter(({ name }) => name.startsWith(permits));
    }
    case "rate":
    case undefined:
      return [];
  }
}
