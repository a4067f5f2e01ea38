import { DiscardPolicy, RetentionPolicy, StorageType } from "@nats-io/jetstream";
import { nanos } from "@nats-io/nats-core";
import { absenceOn } from "../connection/absence.ts";
import { STREAM_NOT_FOUND } from "../error-codes.ts";
import { apiCode, request } from "../jetstream-errors.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { throughRaces } from "../topology/ensure-stream.ts";
import { firstSequence } from "../topology/first-sequence.ts";

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
    absenceOn(nc).making(name, () => throughRaces(nc, make)),
  );
}
