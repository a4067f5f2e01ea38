import { isSolitary } from "../connection/retrying-requests.ts";
import { orWithoutStream, request } from "../jetstream-errors.ts";
import type { ServerAccess } from "../store/server-access.ts";

/**
 * Reads from the leader of a stream what was confirmed before, where nothing repeats the look. A
 * leader of 2.10 answers from the moment it is elected, before it has applied the last that the one
 * before it had confirmed (`switchToLeader` in its raft.go; from 2.11 on it waits). In any version
 * one that was cut off, or stood still, answers for some seconds more after another leads. What a
 * leader carries out it carries out in order, and with a majority: so in a cluster a subject that
 * nothing is on is purged first.
 */
export async function behindBarrier<T>(
  server: ServerAccess,
  stream: string,
  read: () => Promise<T>,
): Promise<T> {
  if (mayBeBehind(server)) await passBarrier(server, stream);
  return read();
}

/** A look that finds nothing is made once more, behind a barrier. */
export async function againBehindBarrier<T>(
  server: ServerAccess,
  stream: string,
  look: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const found = await look();
  if (found !== undefined || !mayBeBehind(server)) return found;
  await passBarrier(server, stream);
  return look();
}

/** While the connection is away nobody knows who will answer; nor who is behind a leaf. */
function mayBeBehind({ nc }: ServerAccess): boolean {
  return !isSolitary(nc);
}

function passBarrier({ jsm, names }: ServerAccess, stream: string): Promise<unknown> {
  // With `keep` a server looks in its index of subjects. Without, 2.10 would read the whole store.
  const nothing = { filter: names.nothing, keep: 1 };
  return request(`reach the leader of the stream ${stream}`, () =>
    orWithoutStream(undefined, () => jsm.streams.purge(stream, nothing)),
  );
}
