import type { AwaitedNodes, RunningJob, Stoppable, Timer } from "@millrace/core";
import { headers, type Msg, type NatsConnection } from "@nats-io/nats-core";
import { machineOf } from "../machine/machine.ts";
import { hearOn } from "../connection/hear-on.ts";
import { subscribe } from "../connection/subscribe.ts";
import { request } from "../jetstream-errors.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { newInbox } from "../wire/inbox.ts";
import { isNoResponders } from "../wire/no-responders.ts";
import { readHeaders } from "../wire/read-headers.ts";

/**
 * An answer of so many jobs is well below any server's limit; a node that runs more answers several
 * times.
 */
const JOBS_A_MESSAGE = 500;
/** A node of an earlier version does not say whether a full message is its last one. */
const REST_WITHIN_MS = 1_000;
/**
 * Who answers, as JSON, and whether the rest comes in other messages. Clients of earlier versions
 * read the body alone, a list of jobs; their nodes answer so, and not at all where nothing runs.
 */
const NODE = "millrace-node";
const MORE = "millrace-more";

/** What a node says it runs, or a part of it. */
interface Answer {
  /** Undefined of an empty list that does not say whose it is. */
  readonly node: string | undefined;
  readonly jobs: readonly RunningJob[];
  /** Undefined of a full message that does not say. */
  readonly more: boolean | undefined;
}

/** As nodes of some commits answer, which no release has. */
interface StatedAnswer {
  readonly node: string;
  readonly jobs: readonly RunningJob[];
  readonly more?: true;
}

interface Asked {
  readonly timeoutMs: number;
  readonly queue?: string;
  readonly awaited?: AwaitedNodes;
}

/**
 * Asks all nodes at once, and takes what comes until the time is up, and until those have answered
 * that are awaited; where there is no node at all the server says so at once.
 */
export function listRunning(
  nc: NatsConnection,
  subject: string,
  { timeoutMs, queue, awaited }: Asked,
): Promise<readonly RunningJob[]> {
  return request("ask which jobs run", async () => {
    const { clock } = machineOf(nc);
    const jobs: RunningJob[] = [];
    const missing = new Set(awaited?.names);
    const done = Promise.withResolvers<void>();
    let isUp = false;
    const look = (): void => void (isUp && missing.size === 0 && done.resolve());
    const answered = (node: string): void => void (missing.delete(node) && look());
    const resting: Timer[] = [];
    const hear = ({ node, jobs: some, more }: Answer): void => {
      jobs.push(...some);
      if (node === undefined || more === true) return;
      if (more === false) return answered(node);
      resting.push(clock.setTimer(REST_WITHIN_MS, () => answered(node)));
    };
    const inbox = newInbox(nc);
    const sub = hearOn(nc, inbox, (error, msg) => {
      if (error) return done.reject(error);
      if (isNoResponders(msg)) return done.resolve();
      try {
        hear(answerIn(msg));
      } catch {
        // What is no list of jobs was not said by a node.
      }
    });
    const usual = clock.setTimer(timeoutMs, () => {
      isUp = true;
      look();
    });
    const most = clock.setTimer(Math.max(timeoutMs, awaited?.withinMs ?? 0), done.resolve);
    try {
      nc.publish(subject, queue ?? "", { reply: inbox });
      await done.promise;
    } finally {
      usual.cancel();
      most.cancel();
      for (const rest of resting) rest.cancel();
      sub.unsubscribe();
    }
    if (missing.size > 0) awaited?.onSilent([...missing]);
    return jobs.sort((a, b) => a.startedAt - b.startedAt);
  });
}

export function answerListRunning(
  server: ServerAccess,
  answer: () => readonly RunningJob[],
  node: string,
): Promise<Stoppable> {
  return subscribe(server, {
    subject: server.names.running,
    doing: "answer which jobs run",
    hear: (msg) => {
      const queue = msg.string();
      const jobs = answer().filter((job) => queue === "" || job.queue === queue);
      for (let from = 0; from === 0 || from < jobs.length; from += JOBS_A_MESSAGE) {
        const about = headers();
        about.set(NODE, JSON.stringify(node));
        if (from + JOBS_A_MESSAGE < jobs.length) about.set(MORE, "true");
        const part = jobs.slice(from, from + JOBS_A_MESSAGE);
        msg.respond(JSON.stringify(part), { headers: about });
      }
    },
  });
}

/** @throws where it is no list of jobs */
function answerIn(msg: Msg): Answer {
  const body = msg.json<readonly RunningJob[] | StatedAnswer>();
  if ("jobs" in body) return { more: false, ...body };
  const [first] = body;
  const { [NODE]: node, [MORE]: more } = readHeaders(msg);
  if (node === undefined)
    return {
      ...{ node: first?.node, jobs: body },
      more: body.length === JOBS_A_MESSAGE ? undefined : false,
    };
  return { node: JSON.parse(node) as string, jobs: body, more: more !== undefined };
}
