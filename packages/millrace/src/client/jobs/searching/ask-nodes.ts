import {
  type Broker,
  defined,
  isSilent,
  type QueueSnapshot,
  type RunningJob,
} from "@millrace/core";
import { snapshotsOf } from "../../queues/snapshots.ts";
import type { NodeStatus } from "../../nodes.ts";
import { jobKey } from "../job-key.ts";
import { knownNodes, serves, type UnansweredJob, unansweredJobs } from "../unanswered.ts";

/** Who asks what runs is told what it does not know for certain. */
export interface LookTold {
  /** Not all could be looked at that may be there. */
  readonly onCut?: (() => void) | undefined;
  /** These nodes did not answer: what they run is known by their queues, as far as it is. */
  readonly onSilent?: ((nodes: readonly string[]) => void) | undefined;
}

interface Asked extends LookTold {
  readonly queue?: string | undefined;
  /** So many are enough. */
  readonly limit?: number | undefined;
}

/** What runs, as far as it can be known. */
interface WhatNodesSay {
  readonly running: readonly RunningJob[];
  /** What the server handed to nodes that don't answer. */
  readonly unanswered: readonly UnansweredJob[];
  readonly queues: readonly QueueSnapshot[];
}

/** How long nodes have to say what they run. */
const USUAL_MS = 500;
/** A node that is known to be there may be busy for so long. */
const AWAITED_MS = 3_000;
/** Messages from the front of a queue, among which those are that silent nodes have. */
const MOST_UNANSWERED = 10_000;

/**
 * Asks nodes what they run. Where the server says that more runs, those that serve the queues are
 * asked again, and waited for: one that did not answer may just be busy.
 *
 * @throws MillraceError `queue-not-found`
 */
export async function askNodes(broker: Broker, asked: Asked): Promise<WhatNodesSay> {
  const where = defined({ queue: asked.queue });
  const first = await broker.listRunning({ timeoutMs: USUAL_MS, ...where });
  const queues = await snapshotsOf(broker, asked.queue);
  const short = queues.filter((queue) => missingOf(queue, first) > 0);
  const nodes = short.length === 0 ? undefined : await knownNodes(broker);
  if (nodes === undefined) return { running: first, unanswered: [], queues };
  const isAsked = (node: NodeStatus): boolean => short.some(({ queue }) => serves(node, queue));
  const names = nodes.filter((node) => isAsked(node) && !isSilent(node)).map(({ name }) => name);
  const silent = new Set<string>();
  const onSilent = (those: readonly string[]): void => those.forEach((name) => silent.add(name));
  const awaited = { names, withinMs: AWAITED_MS, onSilent };
  const again =
    names.length === 0 ? [] : await broker.listRunning({ timeoutMs: 0, ...where, awaited });
  const running = both(first, again);
  const unanswered: UnansweredJob[] = [];
  const unheard = new Set<string>();
  for (const snapshot of short) {
    const missing = missingOf(snapshot, running);
    // As many as the server counts: then nobody is missing.
    if (missing <= 0) continue;
    const { queue, running: held } = snapshot;
    const of = running.filter((job) => job.queue === queue);
    const limit = Math.min(asked.limit ?? MOST_UNANSWERED, MOST_UNANSWERED) + held;
    const found = await unansweredJobs(broker, queue, {
      ...{ limit, missing, running: of, nodes, silent },
    });
    unanswered.push(...found.jobs);
    if (found.isCut) asked.onCut?.();
    for (const node of nodes)
      if (serves(node, queue) && (isSilent(node) || silent.has(node.name))) unheard.add(node.name);
  }
  if (unheard.size > 0) asked.onSilent?.([...unheard]);
  return { running, unanswered, queues };
}

function missingOf({ queue, running }: QueueSnapshot, said: readonly RunningJob[]): number {
  return running - said.filter((job) => job.queue === queue).length;
}

/** The longest running first. Two nodes may have one job. */
function both(first: readonly RunningJob[], again: readonly RunningJob[]): readonly RunningJob[] {
  const jobs = new Map([...first, ...again].map((job) => [`${job.node}/${jobKey(job)}`, job]));
  return [...jobs.values()].toSorted((a, b) => a.startedAt - b.startedAt);
}
