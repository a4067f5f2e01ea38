import { type Broker, type Envelope, MillraceError } from "@millrace/core";
import { type Mask, type ShowValue, showValue } from "@millrace/telemetry/masking";
import {
  type Completion,
  completeFilter,
  type KnownValues,
} from "../../../filter/complete-filter.ts";
import { seePayload } from "../../../filter/seen-payload.ts";
import { Turns } from "../../../filter/turns.ts";
import { snapshotsOf } from "../../queues/snapshots.ts";
import type { LiveState } from "../live-jobs.ts";
import { knownNodes } from "../unanswered.ts";
import { PAGE_BYTES } from "../waiting-pages.ts";

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
  const values = await valuesOf(seen, mask);
  return completeFilter(filter, FIELD_WORDS[state], { ...values, node: nodes });
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
  const where = { limit: SOME, bytes: PAGE_BYTES, ...(queue === undefined ? {} : { queue }) };
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

/** What runs lies in its queue, in front. All queues together are read as far as one would be. */
async function someInQueues(
  broker: Broker,
  { state, queue }: { readonly state: "queued" | "running"; readonly queue: string | undefined },
): Promise<readonly Seen[]> {
  const queues = (await snapshotsOf(broker, queue)).filter((one) => one[state] > 0);
  const bytes = Math.ceil(PAGE_BYTES / Math.max(1, Math.min(queues.length, SOME)));
  const seen: Seen[] = [];
  for (const { queue: name, running } of queues) {
    const inFront = state === "queued" ? running : 0;
    const limit = Math.min(inFront, SOME) + SOME;
    const jobs = await listed(broker, name, { limit, bytes });
    seen.push(
      ...jobs
        .filter((job) => job.state === "queued" && isIn(state, job.isHandedOut))
        .slice(0, SOME - seen.length),
    );
    if (seen.length >= SOME) break;
  }
  return seen;
}

function isIn(state: "queued" | "running", isHandedOut: true | undefined): boolean {
  return (isHandedOut === true) === (state === "running");
}

/** A queue may be removed meanwhile. */
async function listed(
  broker: Broker,
  queue: string,
  page: { readonly limit: number; readonly bytes: number },
) {
  try {
    return await broker.listWaiting(queue, page);
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

const READ: Readonly<Record<string, (one: Seen, show: ShowValue) => readonly string[]>> = {
  name: ({ envelope }) => [envelope.name],
  queue: ({ envelope }) => [envelope.queue],
  lane: ({ envelope }) => (envelope.lane === undefined ? [] : [envelope.lane]),
  tag: ({ envelope }) => envelope.tags ?? [],
  gate: ({ gate }) => (gate === undefined ? [] : [gate]),
  payload: ({ envelope }, show) =>
    seePayload(show(envelope.payload)).leaves.map(({ path }) => path),
};

/** As a filter sees them. Of what is hidden nothing is told, and nothing could be asked. */
async function valuesOf(seen: readonly Seen[], mask: Mask): Promise<KnownValues> {
  const show = showValue(false, mask);
  const isShown = (text: string): boolean => text !== "" && mask.text(text) === text;
  const fields = Object.entries(READ).map(([field, read]) => ({
    ...{ field, read },
    values: new Set<string>(),
  }));
  const turns = new Turns();
  for (const one of seen) {
    if (turns.isOver) await turns.next();
    for (const { read, values } of fields)
      for (const value of read(one, show))
        if (!values.has(value) && isShown(value)) values.add(value);
  }
  return Object.fromEntries(fields.map(({ field, values }) => [field, [...values].toSorted()]));
}
