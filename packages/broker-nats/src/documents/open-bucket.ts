import { type KV, Kvm } from "@nats-io/kv";
import { absenceOn } from "../connection/absence.ts";
import { apiCode, request } from "../jetstream-errors.ts";
import type { ServerAccess } from "../store/server-access.ts";

const NAME_IN_USE = 10058;

/** Opens a KV bucket, and creates it where it does not exist. From any number of nodes at once. */
export function openBucket(
  { nc, retrying }: ServerAccess,
  bucket: string,
  options: { readonly replicas: number; readonly maxAgeMs?: number },
): Promise<KV> {
  const open = (): Promise<KV> =>
    absenceOn(nc).making(`KV_${bucket}`, () =>
      new Kvm(retrying).create(bucket, {
        history: 1,
        replicas: options.replicas,
        // A direct get may be answered by a follower that has not seen the caller's own write yet.
        allow_direct: false,
        ...(options.maxAgeMs === undefined ? {} : { ttl: options.maxAgeMs }),
      }),
    );
  return request(`open the bucket ${bucket}`, async () => {
    try {
      return await open();
    } catch (error) {
      // Another node created it with other options between this one's look and its create: now it
      // is there to be opened.
      if (apiCode(error) === NAME_IN_USE) return open();
      throw error;
    }
  });
}
