import {
  type Broker,
  type Clock,
  type DocumentStore,
  type Envelope,
  judgeTickJob,
  readScheduleState,
  SCHEDULE_STATE,
  tickOriginOf,
} from "@millrace/core";
import { type Limit, PASSED } from "../limits/limit.ts";

/** A leader that takes over decides within moments, or within its lease. */
const UNDECIDED_MS = 1_000;

/**
 * Keeps out the job of a tick that was published by a leader which was frozen between its last look
 * at the lock and the publish, so long that the server has forgotten the id. Whatever a later
 * leadership has enqueued for the tick counts; this one is dropped without a record.
 */
export function refuseStaleTicks(broker: Broker, clock: Clock): Limit {
  let states: Promise<DocumentStore> | undefined;
  const open = (): Promise<DocumentStore> =>
    (states ??= broker.documents(SCHEDULE_STATE).catch((error: unknown) => {
      // A failure is not kept: the next job tries again.
      states = undefined;
      throw error;
    }));
  return {
    concerns: (envelope) => !hasPassed(envelope) && tickOriginOf(envelope) !== undefined,
    async enter({ envelope }) {
      const origin = tickOriginOf(envelope);
      if (origin === undefined) return PASSED;
      const document = await (await open()).get(origin.schedule);
      switch (judgeTickJob(origin, readScheduleState(document?.value))) {
        case "counts":
          return PASSED;
        case "stale":
          return { refusal: { kind: "recalled" } };
        case "undecided":
          return { refusal: { kind: "deferred", untilMs: clock.now() + UNDECIDED_MS } };
      }
    },
  };
}

/**
 * What has run has passed here before. So has what was a dead letter and lives again, whose tick
 * may be recorded as one whose job has run: to drop it now would lose it.
 */
function hasPassed({ attempts, interruptions, snoozes, life = 0 }: Envelope): boolean {
  return attempts > 0 || interruptions > 0 || snoozes > 0 || life > 0;
}
