import type { NatsConnection } from "@nats-io/nats-core";
import { isClustered } from "../connection/retrying-requests.ts";
import { serverFeatures } from "../connection/server-features.ts";
import { machineOf } from "../machine/machine.ts";

const MICROSECONDS_A_MS = 1_000;

/**
 * The number of a new stream's first message: microseconds since 1970. An ack, an extension of a
 * lease and a removal name a stream and a number. If a stream that is removed and made anew counted
 * from 1 again, whoever still holds a job of the old one would ack the job of the new one that has
 * its number. No stream stores a million messages a second for all its life, so the new one begins
 * above the old one's last, and so it does above those of streams that were made from 1.
 *
 * @returns undefined where the server can't do it safely: then the stream counts from 1
 */
export function firstSequence(nc: NatsConnection): number | undefined {
  const first = Math.floor(machineOf(nc).clock.now()) * MICROSECONDS_A_MS;
  const { firstSequence: alone, firstSequenceInCluster } = serverFeatures(nc.info?.version ?? "");
  return first > 0 && (isClustered(nc) ? firstSequenceInCluster : alone) ? first : undefined;
}
