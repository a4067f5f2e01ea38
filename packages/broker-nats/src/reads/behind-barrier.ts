import { serverFeatures } from "../connection/server-features.ts";
import { orWithoutStream, request } from "../jetstream-errors.ts";
import type { ServerAccess } from "../store/server-access.ts";

/**
 * Reads from the leader of a stream what was confirmed before, where nothing repeats the look. A
 * leader of 2.10 answers from the moment it is elected, before it has applied the last that the one
 * before it had confirmed (`switchToLeader` in its raft.go; from 2.11 on it waits). What it carries
 * out it carries out in order: so in a cluster it first purges a subject that nothing is on.
 */
export async function behindBarrier<T>(
  { nc, jsm, names }: ServerAccess,
  stream: string,
  read: () => Promise<T>,
): Promise<T> {
  const { info } = nc;
  // While the connection is away nobody knows who will answer.
  const isCurrent =
    info !== undefined &&
    (info.cluster === undefined || serverFeatures(info.version).leadersAreCurrent);
  if (!isCurrent)
    await request(`reach the leader of the stream ${stream}`, () =>
      orWithoutStream(undefined, () => jsm.streams.purge(stream, { filter: names.nothing })),
    );
  return read();
}
