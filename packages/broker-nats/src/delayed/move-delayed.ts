import {
  type Envelope,
  isMeant,
  type JobRef,
  type MeantMove,
  MillraceError,
  ON_ITS_WAY_MS,
  requireId,
  requireQueueName,
  rescheduled,
} from "@millrace/core";
import { machineOf } from "../machine/machine.ts";
import { sleep } from "../machine/timers.ts";
import { request } from "../jetstream-errors.ts";
import { delayedOf, type DelayedPlace, newestDelayed } from "../lookup/delayed-of.ts";
import type { ConfirmedPublisher } from "../publish/confirmed-publisher.ts";
import { requeueMessage } from "../messages/envelope-message.ts";
import { lastMessage } from "../reads/next-message.ts";
import { againBehindBarrier } from "../reads/behind-barrier.ts";
import type { ServerAccess } from "../store/server-access.ts";
import type { SizeLimits } from "../topology/size-limits.ts";
import { forwardRoom } from "../messages/delayed-headers.ts";
import { movedMessage } from "../messages/delayed-message.ts";

export interface MoveOptions {
  readonly server: ServerAccess;
  readonly limits: SizeLimits;
  readonly maxDelayMs: number;
  /** Gives up after 30 seconds, retries included. */
  readonly retrying: ConfirmedPublisher;
  /** Gives up after one second. */
  readonly hurried: () => ConfirmedPublisher;
  /** By the clock of the server that the delayed jobs' mover goes by. */
  readonly serverNow: () => Promise<number>;
  /** The delayed stream as this version needs it. */
  readonly ensureStreams: () => Promise<void>;
}

/**
 * A write may be repeated for this long, and must not be while a mover may hold what it replaces.
 */
const PATIENCE_MS = 40_000;
/** Each lost round is another caller's move that was heard. */
const ROUNDS = 50;
/**
 * A replicated stream refuses at once what meets another write that is not agreed on yet: that may
 * take as long as an election.
 */
const PAUSE_MS = 20;

/**
 * Gives a delayed job another time by one write, which takes the place of its message only while
 * that is still there: nothing can be lost or doubled between two steps, because there is one. See
 * docs/decisions/delays.md.
 */
export async function moveDelayed(
  options: MoveOptions,
  { id, queue }: JobRef,
  notBefore: number | "now",
  { cancellation, createdAt, from }: MeantMove = {},
): Promise<boolean> {
  requireId(id);
  requireQueueName(queue);
  const { server } = options;
  const { clock, random, newId } = machineOf(server.nc);
  let moveId = "";
  const isIt: IsIt = ({ envelope, notBefore: waitsFor, moveId: movedBy }) =>
    movedBy === moveId ||
    ((createdAt === undefined || createdAt === envelope.createdAt) &&
      (cancellation === undefined || isMeant(cancellation, envelope)) &&
      (from === undefined || waitsFor === from));
  for (let round = 1; ; round += 1) {
    const found = await request(`look for the delayed job ${id}`, () =>
      againBehindBarrier(server, server.names.delayedStream, () =>
        findDelayed(server, { id, queue }, isIt),
      ),
    );
    if (found === undefined) return false;
    // Refused because it had been done before: the answer to the first attempt got lost.
    if (found.moveId === moveId) return true;
    moveId = newId();
    const movedAfter = found.movedAfter ?? (await lastRecord(server, found.envelope));
    await options.ensureStreams();
    // Right before the write, as an election may have passed; the caller's clock may be off.
    const now = await options.serverNow();
    const remainingMs = found.notBefore - now;
    // From 1,250 ms before its time a mover may hold it and will forward it, whatever is written.
    // The rest is for clocks that differ and for the write itself.
    if (remainingMs < ON_ITS_WAY_MS) return false;
    const envelope = rescheduled(found.envelope, notBefore, now, {
      maxDelayMs: options.maxDelayMs,
      cancelled: cancellation?.reason,
    });
    try {
      await replace(options, found, envelope, {
        moveId,
        movedAfter,
        notBefore: envelope.notBefore ?? now,
        remainingMs,
      });
      return true;
    } catch (error) {
      // It was forwarded, or moved by somebody else: look again.
      if (!MillraceError.is(error, "conflict") || round === ROUNDS) throw error;
      await sleep(clock, PAUSE_MS * random() * round);
    }
  }
}

interface Found extends Pick<DelayedPlace, "notBefore" | "scheduled" | "movedAfter" | "moveId"> {
  readonly stored: { readonly sequence: number; readonly subject: string };
  readonly envelope: Envelope;
}

type IsIt = (found: Found) => boolean;

/**
 * @returns of those that wait under the id and are meant, the newest
 * @throws MillraceError where none is, and the newest of all can't be read
 */
async function findDelayed(
  server: ServerAccess,
  job: JobRef,
  isIt: IsIt,
): Promise<Found | undefined> {
  const newest = await newestDelayed(server, job);
  if (newest === undefined) return undefined;
  const found = readFound(newest);
  if (found !== undefined && isIt(found)) return found;
  // Another job may have come under the id since.
  for (const place of (await delayedOf(server, job)).toReversed()) {
    const other = readFound(place);
    if (other !== undefined && isIt(other)) return other;
  }
  if (newest.read.ok) return undefined;
  const { reason, error } = newest.read;
  throw new MillraceError(
    reason,
    `The delayed job ${job.id} of the queue ${job.queue} can't be read, and so not be moved: ${error.message}`,
  );
}

function readFound({ message, subject, read, ...place }: DelayedPlace): Found | undefined {
  const stored = { sequence: message.sequence, subject };
  return read.ok ? { ...place, stored, envelope: read.envelope } : undefined;
}

async function replace(
  { server, limits, retrying, hurried }: MoveOptions,
  { scheduled, stored }: Found,
  envelope: Envelope,
  move: Pick<DelayedPlace, "notBefore"> & {
    readonly moveId: string;
    readonly movedAfter: number;
    readonly remainingMs: number;
  },
): Promise<void> {
  const message = movedMessage(
    requeueMessage(envelope, server.names, limits.queue - forwardRoom(envelope)),
    envelope,
    move.notBefore,
    server.names,
    { ...stored, scheduled, movedAfter: move.movedAfter, moveId: move.moveId },
  );
  // A schedule that has fired has left its subject, so a late write finds nothing to replace; a
  // postponed message stays where a mover takes it from.
  const publisher = scheduled || move.remainingMs > PATIENCE_MS ? retrying : hurried();
  await publisher.publish(message.subject, message.data, message.headers);
}

/**
 * The first move's word stands through all later ones: since then the job may have run from where
 * it was.
 */
async function lastRecord({ jsm, names }: ServerAccess, { queue, id }: Envelope): Promise<number> {
  return request(`look into the history of ${id}`, async () => {
    return (await lastMessage(jsm, names.historyStream, names.history(queue, id)))?.seq ?? 0;
  });
}
