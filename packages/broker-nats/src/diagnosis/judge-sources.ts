import type { StreamConfig } from "@nats-io/jetstream";
import type { Names } from "../topology/subjects.ts";
import { fail, type Finding, warn } from "./finding.ts";

/**
 * Streams of the account that the server itself fills from a queue.
 *
 * @param losesMessages whether this server's version could lose some on the way (before 2.14,
 *   nats-server #8423)
 */
export function judgeSources(
  names: Names,
  streams: readonly StreamConfig[],
  losesMessages: boolean,
): readonly Finding[] {
  return streams.flatMap((stream) =>
    originsOf(stream)
      .filter((origin) => origin.startsWith(names.queueStreamPrefix))
      .map((origin) => {
        const check = `queue ${origin.slice(names.queueStreamPrefix.length)}`;
        const message = `is moved into the stream ${stream.name} by the server`;
        return losesMessages
          ? fail(
              check,
              message,
              `Remove the source from ${stream.name}: it takes jobs from the nodes, and before 2.14 some were lost on the way (nats-server #8423).`,
            )
          : warn(
              check,
              message,
              `Remove the source from ${stream.name}: it takes jobs from the nodes.`,
            );
      }),
  );
}

function originsOf({ sources, mirror }: StreamConfig): readonly string[] {
  return [...(sources ?? []), ...(mirror === undefined ? [] : [mirror])].map(({ name }) => name);
}
