import type { ServerAccess } from "./server-access.ts";

/**
 * The queues of a namespace, each as the name of its stream. The name of another namespace's stream
 * may fit; its subjects don't.
 *
 * Names, because the metadata leader answers for all of them. A list of descriptions leaves out a
 * stream that has no leader at the moment, and the client's pages then give another one twice
 * (docs/decisions/cluster.md).
 */
export async function queueStreams({ jsm, names }: ServerAccess): Promise<string[]> {
  const streams: string[] = [];
  for await (const name of jsm.streams.names(names.requeueAll))
    if (name.startsWith(names.queueStreamPrefix)) streams.push(name);
  return streams;
}
