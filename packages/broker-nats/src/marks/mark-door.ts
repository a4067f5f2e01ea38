import type { StreamConfig } from "@nats-io/jetstream";
import { STREAM_NOT_FOUND } from "../error-codes.ts";
import { apiCode, request } from "../jetstream-errors.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { queueNotFound } from "../store/queues.ts";
import { takesSubject } from "../topology/unlisted-subjects.ts";

/**
 * Lets a queue's stream take marks, and several messages as one. Few queues need it, so it is done
 * at the first write and not with the queue.
 *
 * Rollups stay forbidden: producers publish to this stream, and one header of a job of theirs would
 * empty it.
 *
 * @returns bytes that a message of the stream may have
 * @throws MillraceError `queue-not-found`
 */
export async function ensureMarkDoor({ jsm, names }: ServerAccess, queue: string): Promise<number> {
  const stream = names.queueStream(queue);
  return request(`let the queue ${queue} take marks`, async () => {
    try {
      const { config } = await jsm.streams.info(stream);
      const door = names.mark(queue, ">");
      const open = takesSubject(config.subjects, names.mark(queue, "any"));
      if (open && config.allow_atomic === true && !config.allow_rollup_hdrs)
        return mostBytes(config);
      await jsm.streams.update(stream, {
        ...config,
        subjects: open ? config.subjects : [...config.subjects, door],
        allow_atomic: true,
        allow_rollup_hdrs: false,
      });
      return mostBytes(config);
    } catch (error) {
      if (apiCode(error) === STREAM_NOT_FOUND) throw queueNotFound(queue, error);
      throw error;
    }
  });
}

function mostBytes({ max_msg_size: most }: StreamConfig): number {
  return most > 0 ? most : Number.POSITIVE_INFINITY;
}
