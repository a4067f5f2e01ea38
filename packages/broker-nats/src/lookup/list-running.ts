import type { RunningJob, Stoppable } from "@millrace/core";
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

/**
 * Asks all nodes at once, and takes what comes until the time is up; where there is no node at all
 * the server says so at once.
 */
export function listRunning(
  nc: NatsConnection,
  subject: string,
  { timeoutMs, queue }: { readonly timeoutMs: number; readonly queue?: string },
): Promise<readonly RunningJob[]> {
  return request("ask which jobs run", async () => {
    const inbox = newInbox(nc);
    const jobs: RunningJob[] = [];
    const done = Promise.withResolvers<void>();
    const hear = (msg: Msg): void => {
      if (isNoResponders(msg)) done.resolve();
      else jobs.push(...msg.json<readonly RunningJob[]>());
    };
    const sub = nc.subscribe(inbox, {
      callback: (error, msg) => {
        if (error) return done.reject(error);
        try {
          hear(msg);
        } catch {
          // What is no list of jobs was not said by a node.
        }
      },
    });
    const timer = machineOf(nc).clock.setTimer(timeoutMs, done.resolve);
    try {
      nc.publish(subject, queue ?? "", { reply: inbox });
      await done.promise;
    } finally {
      timer.cancel();
      sub.unsubscribe();
    }
    return jobs.sort((a, b) => a.startedAt - b.startedAt);
  });
}

export function answerListRunning(
  server: ServerAccess,
  answer: () => readonly RunningJob[],
): Promise<Stoppable> {
  return subscribe(server, {
    subject: server.names.running,
    doing: "answer which jobs run",
    hear: (msg) => {
      const queue = msg.string();
      const jobs = answer().filter((job) => queue === "" || job.queue === queue);
      for (let from = 0; from < jobs.length; from += JOBS_A_MESSAGE)
        msg.respond(JSON.stringify(jobs.slice(from, from + JOBS_A_MESSAGE)));
    },
  });
}

function isNoResponders(msg: Msg): boolean {
  return msg.data.length === 0 && readStatus(msg).code === NO_RESPONDERS;
}
