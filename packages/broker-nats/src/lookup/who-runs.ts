import type { RunningJob, Stoppable } from "@millrace/core";
import {
  type NatsConnection,
  NoRespondersError,
  RequestError,
  TimeoutError,
} from "@nats-io/nats-core";
import { subscribe } from "../connection/subscribe.ts";
import { asMillraceError } from "../jetstream-errors.ts";
import type { ServerAccess } from "../store/server-access.ts";

/**
 * Asks all nodes at once. Only the one that runs the job answers; where there is no node at all the
 * server says so at once.
 */
export async function whoRuns(
  nc: NatsConnection,
  subject: string,
  id: string,
  timeoutMs: number,
): Promise<RunningJob | undefined> {
  try {
    const reply = await nc.request(subject, id, { timeout: timeoutMs });
    return reply.json<RunningJob>();
  } catch (error) {
    if (error instanceof TimeoutError || error instanceof NoRespondersError) return undefined;
    if (
      error instanceof RequestError &&
      (error.isNoResponders() || error.cause instanceof TimeoutError)
    )
      return undefined;
    throw asMillraceError(error, `ask who runs the job ${id}`);
  }
}

export function answerWhoRuns(
  server: ServerAccess,
  answer: (id: string) => RunningJob | undefined,
): Promise<Stoppable> {
  return subscribe(server, {
    subject: server.names.whoRuns,
    doing: "answer who runs a job",
    hear: (msg) => {
      const job = answer(msg.string());
      if (job !== undefined) msg.respond(JSON.stringify(job));
    },
  });
}
