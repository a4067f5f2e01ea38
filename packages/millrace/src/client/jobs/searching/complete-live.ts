import { type Broker, type Envelope, MillraceError } from "@millrace/core";
import { type Mask, showValue } from "@millrace/telemetry/masking";
import {
  type Completion,
  completeFilter,
  type KnownValues,
} from "../../../filter/complete-filter.ts";
import { seePayload } from "../../../filter/seen-payload.ts";
import { snapshotsOf } from "../../queues/snapshots.ts";
import type { LiveState } from "../live-jobs.ts";
import { knownNodes } from "../unanswered.ts";

/** So many jobs say what stands in their fields. */
const SOME = 200;

const EVERY: Readonly<Record<string, string>> = {
  name: "the job's name",
  queue: "its queue",
  tag: "one of its tags",
  id: "its id",
  attempts: "attempts that have ended: attempts>3",
  age: "for how long it has been there: age>1h",
  at: "since when it is there: at<2030-01-01T00:00Z",
  payload: "any field of its payload",
};

const WAITING: Readonly<Record<string, string>> = { ...EVERY, lane: "its priority" };

/** What a filter can ask of jobs in a state. Of what runs, nodes don't say the lane. */
const FIELD_WORDS: Readonly<Record<LiveState, Readonly<Record<string, string>>>> = {
  ...{ queued: WAITING, delayed: WAITING },
  running: { ...EVERY, node: "who runs it" },
  blocked: { ...WAITING, gate: "where it is blocked" },
};

/**
 * How a filter of jobs in a state may go on, with what stands in the first of them. Nodes are not
 * asked what they run: that takes longer than somebody types.
 */
export async function completeLive(
  broker: Broker,
  filter: string,
  { state, queue, mask }: WhichLive & { readonly mask: Mask },
): Promise<readonly Completion[]> {
  const seen = await someOf(broker, { state, queue });
  const nodes = state === "running" ? await nodeNames(broker, queue) : [];
  return completeFilter(filter, FIELD_WORDS[state], { ...valuesOf(seen, mask), node: nodes });
}

interface WhichLive {
  readonly state: LiveState;
  readonly queue: string | undefined;
}

interface Seen {
  readonly envelope: Envelope;
  readonly gate?: string;
}

async function someOf(broker: Broker, { state, queue }: WhichLive): Promise<readonly Seen[]> {
  const where = { limit: SOME, ...(queue === undefined ? {} : { queue }) };
  switch (state) {
    case "delayed": {
      const jobs = await broker.delayed.list({ ...where, envelopes: true });
      return jobs.flatMap(({ envelope }) => (envelope === undefined ? [] : [{ envelope }]));
    }
    case "blocked":
      return broker.blocked.list(where);
    case "queued":
    case "running":
      return someInQueues(broker, { state, queue });
  }
}

/** What runs lies in its queue, in front. */
async function someInQueues(
  broker: Broker,
  { state, queue }: { readonly state: "queued" | "running"; readonly queue: string | undefined },
): Promise<readonly Seen[]> {
  const queues = (await snapshotsOf(broker, queue)).filter((one) => one[state] > 0);
  const seen: Seen[] = [];
  for (const { queue: name, running } of queues) {
    const inFront = state === "queued" ? running : 0;
    const jobs = await listed(broker, name, Math.min(inFront, SOME) + SOME);
    seen.push(
      ...jobs
        .filter((job) => job.state === "queued" && isIn(state, job.isHandedOut))
        .slice(0, SOME),
    );
    if (seen.length >= SOME) break;
  }
  return seen;
}

function isIn(state: "queued" | "running", isHandedOut: true | undefined): boolean {
  return (isHandedOut === true) === (state === "running");
}

/** A queue may be removed meanwhile. */
async function listed(broker: Broker, queue: string, limit: number) {
  try {
    return await broker.listWaiting(queue, { limit });
  } catch (error) {
    if (MillraceError.is(error, "queue-not-found")) return [];
    throw error;
  }
}

async function nodeNames(broker: Broker, queue: string | undefined): Promise<readonly string[]> {
  const nodes = (await knownNodes(broker)) ?? [];
  return nodes
    .filter(({ queues }) => queues.some((one) => queue === undefined || one.queue === queue))
    .map(({ name }) => name);
}

/** As a filter sees them. Of what is hidden nothing is told, and nothing could be asked. */
function valuesOf(seen: readonly Seen[], mask: Mask): KnownValues {
  const show = showValue(false, mask);
  const isShown = (text: string): boolean => text !== "" && mask.text(text) === text;
  const each = (read: (one: Seen) => readonly (string | undefined)[]): readonly string[] => {
    const values = seen.flatMap(read).filter((value) => value !== undefined);
    return [...new Set(values.filter(isShown))].toSorted();
  };
  return {
    name: each(({ envelope }) => [envelope.name]),
    queue: each(({ envelope }) => [envelope.queue]),
    lane: each(({ envelope }) => [envelope.lane]),
    tag: each(({ envelope }) => envelope.tags ?? []),
    gate: each(({ gate }) => [gate]),
    payload: each(({ envelope }) =>
      seePayload(show(envelope.payload)).leaves.flatMap(({ path }) => (path === "" ? [] : [path])),
    ),
  };
}
