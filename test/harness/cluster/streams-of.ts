import { connect, type ConnectionOptions } from "@nats-io/transport-node";
import { patientManager } from "../administrator.ts";

/** The member that leads a stream, by its name. */
export async function leaderOf(
  urls: readonly string[],
  stream: string,
  connectWith: ConnectionOptions = {},
): Promise<string | undefined> {
  await using nc = await connect({ ...connectWith, servers: [...urls] });
  return (await (await patientManager(nc)).streams.info(stream)).cluster?.leader;
}

/**
 * The replicas of each stream of a namespace, buckets included, by its name. Asked for one by one:
 * a list leaves out what has no leader.
 */
export async function replicasOf(
  urls: readonly string[],
  namespace: string,
): Promise<ReadonlyMap<string, number>> {
  await using nc = await connect({ servers: [...urls] });
  const jsm = await patientManager(nc);
  const found = new Map<string, number>();
  for await (const name of jsm.streams.names())
    if (name.replace(/^KV_/, "").startsWith(`${namespace}-`))
      found.set(name, (await jsm.streams.info(name)).config.num_replicas);
  return found;
}
