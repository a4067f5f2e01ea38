import { DiscardPolicy, RetentionPolicy, StorageType } from "@nats-io/jetstream";
import { nanos } from "@nats-io/nats-core";
import { absenceOn } from "../connection/absence.ts";
import { STREAM_NOT_FOUND } from "../error-codes.ts";
import { apiCode, request } from "../jetstream-errors.ts";
import { machineOf } from "../machine/machine.ts";
import { quietSleep } from "../machine/timers.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { NEXT_ROUND_MS, ROUNDS } from "../topology/ensure-stream.ts";
import { firstSequence } from "../topology/first-sequence.ts";

const NAME_IN_USE = 10058;

export interface BucketOptions {
  readonly replicas: number;
  readonly maxAgeMs?: number;
}

/**
 * Opens a KV bucket, and creates it where it does not exist. From any number of nodes at once.
 *
 * One that was removed and is made anew gives no revision a second time: a lock's token only grows,
 * and who holds a revision of the old bucket replaces or erases nothing of the new one.
 */
export function openBucket(
  { nc, jsm }: Pick<ServerAccess, "nc" | "jsm">,
  bucket: string,
  { replicas, maxAgeMs }: BucketOptions,
): Promise<void> {
  const name = `KV_${bucket}`;
  const config = {
    name,
    subjects: [`$KV.${bucket}.>`],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    max_msgs_per_subject: 1,
    num_replicas: replicas,
    allow_rollup_hdrs: true,
    // A direct get may be answered by a follower that has not seen the caller's own write yet.
    allow_direct: false,
    ...(maxAgeMs === undefined ? {} : { max_age: nanos(maxAgeMs) }),
  };
  const make = async (): Promise<void> => {
    try {
      await jsm.streams.info(name);
    } catch (error) {
      if (apiCode(error) !== STREAM_NOT_FOUND) throw error;
      // Asked only now: while the connection is away, nobody knows the server.
      const first = firstSequence(nc);
      await jsm.streams.add({ ...config, ...(first === undefined ? {} : { first_seq: first }) });
    }
  };
  return request(`open the bucket ${bucket}`, () =>
    absenceOn(nc).making(name, async () => {
      for (let round = 1; ; round += 1) {
        try {
          return await make();
        } catch (error) {
          // Another node created it with other options between this one's look and its create: it
          // is there to be opened now, or when the cluster has made it.
          if (apiCode(error) !== NAME_IN_USE || round === ROUNDS) throw error;
          await quietSleep(machineOf(nc).clock, NEXT_ROUND_MS);
        }
      }
    }),
  );
}
