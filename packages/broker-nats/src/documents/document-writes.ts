import { type Clock, MillraceError } from "@millrace/core";
import { ELECTIONS_MS } from "../connection/retrying-requests.ts";
import type { Machine } from "../machine/machine.ts";
import { sleep } from "../machine/timers.ts";
import type { ConfirmedPublisher } from "../publish/confirmed-publisher.ts";
import { isNotAgreedOn } from "../publish/pub-ack.ts";
import { EXPECTED_SEQUENCE } from "../wire/expected-sequence.ts";
import type { HeaderRecord } from "../wire/headers.ts";
import type { DirectReads } from "../reads/direct-reads.ts";
import { type LeaderReads, WRITE_NAME } from "../reads/leader-reads.ts";

/** Between two looks at a first copy that is on its way. */
const UNDECIDED_PAUSE_MS = 250;

/** How it reads and writes; shared by all buckets of a connection. */
export interface Wires {
  /** One that sends nothing twice. */
  readonly publisher: ConfirmedPublisher;
  readonly clock: Clock;
  readonly nameWrite: () => string;
  readonly reads: LeaderReads;
  readonly directReads: DirectReads;
}

export interface DocumentWrite {
  readonly stream: string;
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers?: HeaderRecord;
  /** The revision that it replaces; undefined for whatever is there. */
  readonly expected: number | undefined;
}

/**
 * Makes a name for each write of one connection: a UUID for each would cost as much as its body.
 */
export function writeNamer({ newId }: Pick<Machine, "newId">): () => string {
  const writer = newId();
  let writes = 0;
  return () => `${writer}.${++writes}`;
}

/**
 * Writes once. If the answer got lost (a leader died with it), the store looks whether the write is
 * there, and writes again only if it is not, over the same revision. A first copy that still comes
 * then refuses the second, or is refused by it.
 *
 * @returns the revision
 * @throws MillraceError `conflict` where somebody else wrote; `publish-timeout` and its kin, after
 *   which it may be written all the same
 */
export async function writeOnce(
  { publisher, reads, clock, nameWrite }: Omit<Wires, "directReads">,
  { stream, subject, data, headers, expected }: DocumentWrite,
): Promise<number> {
  const write = nameWrite();
  const stamped: Record<string, string> = { ...headers, [WRITE_NAME]: write };
  if (expected !== undefined) stamped[EXPECTED_SEQUENCE] = String(expected);
  const deadline = clock.monotonic() + ELECTIONS_MS;
  /** An answer that did not come: the write may have been carried out. */
  let lost: unknown;
  let mayBeStored = false;
  for (;;) {
    try {
      return (await publisher.publish(subject, data, stamped)).sequence;
    } catch (error) {
      const conflict = MillraceError.is(error, "conflict");
      const unanswered = MillraceError.is(error, "publish-timeout");
      if (unanswered) lost ??= error;
      // Refused because of what no majority has confirmed: nobody was first yet. A leader that was
      // cut off says so, and right after it is back the one that took its place has the write too.
      mayBeStored ||= unanswered || isNotAgreedOn(error);
      if (!unanswered && !(conflict && mayBeStored)) throw error;
      const last = await reads.last(stream, subject).catch(() => {
        throw unconfirmed(subject, error);
      });
      if (last?.write === write) return last.sequence;
      if (clock.monotonic() > deadline) throw unconfirmed(subject, error);
      // Refused over the very revision that stands: the first copy, or another's write, is still
      // on its way to a majority. Or over a later one, by a leader that has been replaced.
      const undecided = conflict && isNoLater(last?.sequence, expected);
      if (conflict && !undecided) throw overwritten(subject, lost);
      if (undecided) await sleep(clock, UNDECIDED_PAUSE_MS);
    }
  }
}

/** Nothing at all may be a removal. */
function isNoLater(last: number | undefined, expected: number | undefined): boolean {
  return (last ?? 0) === expected || (last !== undefined && last < (expected ?? 0));
}

/** The answer got lost, and by now somebody else's write stands there. */
function overwritten(subject: string, cause: unknown): MillraceError {
  return new MillraceError("conflict", `${subject} was written by somebody else.`, { cause });
}

function unconfirmed(subject: string, cause: unknown): MillraceError {
  if (MillraceError.is(cause, "publish-timeout")) return cause;
  return new MillraceError(
    "publish-timeout",
    `The write to ${subject} was not confirmed by a majority of the cluster in time. It may be done all the same: read it again.`,
    { cause },
  );
}
