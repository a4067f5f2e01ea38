import { isMeantRun, type MeantRun, type RunningJob, type Stoppable } from "@millrace/core";
import {
  headers,
  type Msg,
  NoRespondersError,
  RequestError,
  TimeoutError,
} from "@nats-io/nats-core";
import { subscribe } from "../connection/subscribe.ts";
import { asMillraceError } from "../jetstream-errors.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { readHeaders } from "../wire/read-headers.ts";

const QUEUE = "millrace-queue";
const CREATED_AT = "millrace-created-at";

/**
 * Asks all nodes at once. Only the one that runs the job answers; where there is no node at all the
 * server says so at once.
 */
export async function whoRuns(
  { nc, names }: Pick<ServerAccess, "nc" | "names">,
  id: string,
  { timeoutMs, queue, createdAt }: MeantRun & { readonly timeoutMs: number },
): Promise<RunningJob | undefined> {
  const meant = headers();
  if (queue !== undefined) meant.set(QUEUE, queue);
  if (createdAt !== undefined) meant.set(CREATED_AT, String(createdAt));
  try {
    const reply = await nc.request(names.whoRuns, id, { timeout: timeoutMs, headers: meant });
    const running = reply.json<RunningJob>();
    // A node of an earlier version answers for another job of the id.
    return isMeantRun(running, { queue, createdAt }) ? running : undefined;
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
  answer: (id: string, meant: MeantRun) => RunningJob | undefined,
): Promise<Stoppable> {
  return subscribe(server, {
    subject: server.names.whoRuns,
    doing: "answer who runs a job",
    hear: (msg) => {
      const job = answer(msg.string(), meantBy(msg));
      if (job !== undefined) msg.respond(JSON.stringify(job));
    },
  });
}

function meantBy(msg: Msg): MeantRun {
  const { [QUEUE]: queue, [CREATED_AT]: createdAt } = readHeaders(msg);
  return {
    ...(queue === undefined ? {} : { queue }),
    ...(createdAt === undefined ? {} : { createdAt: Number(createdAt) }),
  };
}
