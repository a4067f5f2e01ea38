import type { JobRef } from "@millrace/core";
import type { DueJob } from "../messages/delayed-headers.ts";
import { lastMessage, type LeaderMessage, nextMessage } from "../reads/next-message.ts";
import { delayedJob, fromLeader, type StoredJob } from "../reads/stored-message.ts";
import type { ServerAccess } from "../store/server-access.ts";

export interface DelayedPlace extends StoredJob, DueJob {
  readonly subject: string;
  /** It has a schedule; else it is due, or postponed. */
  readonly scheduled: boolean;
}

/** All that waits under an id, oldest first. Those of another job that has it are among them. */
export async function delayedOf(
  server: ServerAccess,
  job: JobRef,
): Promise<readonly DelayedPlace[]> {
  const { jsm, names } = server;
  const found: DelayedPlace[] = [];
  // Held ones first: one whose schedule fires meanwhile is met among those that are due.
  for (const [subject, scheduled] of subjects(server, job))
    for (let from = 1; ;) {
      const stored = await nextMessage(jsm, names.delayedStream, from, subject);
      if (stored === undefined) break;
      const place = placeOf(server, stored, scheduled);
      if (place !== undefined) found.push(place);
      from = stored.seq + 1;
    }
  return found.sort((a, b) => a.message.sequence - b.message.sequence);
}

/** The last of them, which nearly always is the only one: at two requests, side by side. */
export async function newestDelayed(
  server: ServerAccess,
  job: JobRef,
): Promise<DelayedPlace | undefined> {
  const { jsm, names } = server;
  const last = async ([subject, scheduled]: readonly [string, boolean]) => {
    const stored = await lastMessage(jsm, names.delayedStream, subject);
    return stored && placeOf(server, stored, scheduled);
  };
  const [held, due] = await Promise.all(subjects(server, job).map(last));
  const isHeld = (held?.message.sequence ?? 0) > (due?.message.sequence ?? 0);
  return isHeld ? held : due;
}

function subjects(
  { names }: ServerAccess,
  { queue, id }: JobRef,
): readonly (readonly [subject: string, scheduled: boolean])[] {
  return [
    [names.delayed(queue, id, "*"), true],
    [names.due(queue, id, "*"), false],
  ];
}

/** @returns undefined for a message that Millrace did not write */
function placeOf(
  server: ServerAccess,
  stored: LeaderMessage,
  scheduled: boolean,
): DelayedPlace | undefined {
  const job = delayedJob(server, fromLeader(stored));
  return job && { ...job, subject: stored.subject, scheduled };
}
