import type { AwaitedNodes, RunningJob, Stoppable } from "@millrace/core";
import type { Msg, NatsConnection } from "@nats-io/nats-core";
import { machineOf } from "../machine/machine.ts";
import { subscribe } from "../connection/subscribe.ts";
import { request } from "../jetstream-errors.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { newInbox } from "../wire/inbox.ts";
import { readStatus } from "../wire/read-headers.ts";

/**
 * An answer of so many jobs is well below any server's limit; a node that runs more answers several
 * times.
 */
const JOBS_A_MESSAGE = 500;
const NO_RESPONDERS = 503;

/** What a node says it runs, or a part of it. */
interface Answer {
  readonly node: string;
  readonly jobs: readonly RunningJob[];
  /** The rest comes in other messages. */
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
    const hear = ({ node, jobs: some, more }: Answer): void => {
      jobs.push(...some);
      if (more !== true && missing.delete(node)) look();
    };
    const inbox = newInbox(nc);
    const sub = nc.subscribe(inbox, {
      callback: (error, msg) => {
        if (error) return done.reject(error);
        if (isNoResponders(msg)) return done.resolve();
        try {
          hear(msg.json<Answer>());
        } catch {
          // What is no list of jobs was not said by a node.
        }
      },
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
        const part = { node, jobs: jobs.slice(from, from + JOBS_A_MESSAGE) };
        const isLast = from + JOBS_A_MESSAGE >= jobs.length;
        msg.respond(JSON.stringify(isLast ? part : { ...part, more: true }));
      }
    },
  });
}

function isNoResponders(msg: Msg): boolean {
  return msg.data.length === 0 && readStatus(msg).code === NO_RESPONDERS;
}
