import { MillraceError } from "@millrace/core";
import type { NatsConnection } from "@nats-io/nats-core";
import { isUnheard } from "../jetstream-errors.ts";
import { machineOf } from "../machine/machine.ts";
import { sleep } from "../machine/timers.ts";
import { isClustered } from "./retrying-requests.ts";

/** Between two tries of a write that nobody heard. */
const PAUSE_MS = 50;

/**
 * Makes a write to a stream of a cluster again while nobody hears it: the stream is so new that
 * this member has no word of its leader yet, or a leader is being elected. What nobody heard was
 * not carried out, so the next try does it no second time.
 *
 * @param doing completes "Could not …"
 * @param write is given what is left of the time, in milliseconds
 * @throws MillraceError `broker-unavailable` where nobody heard it in time; what `write` throws
 */
export async function untilHeard<Result>(
  nc: NatsConnection,
  { doing, timeoutMs }: { readonly doing: string; readonly timeoutMs: number },
  write: (leftMs: number) => Promise<Result>,
): Promise<Result> {
  const { clock } = machineOf(nc);
  const deadline = clock.monotonic() + timeoutMs;
  for (let leftMs = timeoutMs; ; leftMs = deadline - clock.monotonic()) {
    try {
      return await write(leftMs);
    } catch (error) {
      if (!isUnheard(error) || !isClustered(nc)) throw error;
      if (clock.monotonic() + PAUSE_MS >= deadline) throw withoutLeader(doing, error);
    }
    await sleep(clock, PAUSE_MS);
  }
}

function withoutLeader(doing: string, cause: unknown): MillraceError {
  return new MillraceError(
    "broker-unavailable",
    `Could not ${doing}: its stream has no leader in the cluster at the moment. Try again.`,
    { cause },
  );
}
