import {
  type Broker,
  type Clock,
  mustBe,
  optionNames,
  refuseUnknown,
  requireJobName,
  requireQueueName,
} from "@millrace/core";
import { followEvents, type JobEvent } from "./follow-events.ts";
import { RECORDED_STATES } from "./jobs/jobs.ts";
import type { RecordedState } from "./jobs/results/watch-records.ts";

/** Which events, and from where on. */
export interface EventsQuery {
  readonly queue?: string;
  /** Only jobs of this name. */
  readonly name?: string;
  /** Only what became so; several of them as a list. Default: everything. */
  readonly state?: RecordedState | readonly RecordedState[];
  /**
   * The `position` of the last event that was handled: reads on behind it. 0: from the oldest that
   * is kept. Default: what happens from now on.
   */
  readonly after?: number;
  /** Ends the reading; the loop ends without an error. */
  readonly signal?: AbortSignal;
}

const NAMES = optionNames<EventsQuery>({
  ...{ queue: true, name: true, state: true, after: true, signal: true },
});

/** @throws MillraceError `invalid-option`, `invalid-name` */
export function eventsOf(
  broker: Broker,
  clock: Clock,
  query: EventsQuery,
): AsyncIterableIterator<JobEvent, void, undefined> {
  refuseUnknown(query, NAMES, "events()");
  const { state, ...filter } = query;
  const { queue, name, after } = filter;
  if (name !== undefined) requireJobName(name);
  if (queue !== undefined) requireQueueName(queue);
  if (after !== undefined && !(Number.isSafeInteger(after) && after >= 0))
    throw mustBe("after", "the position of an event, or 0", after);
  const states = state === undefined ? RECORDED_STATES : [state].flat();
  const unknown = states.find((one) => !RECORDED_STATES.includes(one));
  if (unknown !== undefined || states.length === 0)
    throw mustBe("state", `one or some of ${RECORDED_STATES.join(", ")}`, unknown ?? "none");
  return followEvents(broker, clock, { ...filter, states: new Set(states) });
}
