import {
  connect,
  type ConnectionOptions,
  createInbox,
  type NatsConnection,
} from "@nats-io/transport-node";
import { eventually } from "../../harness/deadline.ts";

const KNOWN_MS = 60_000;

/**
 * Resolves when each member would send an answer to this client. Members hear of a subscription one
 * after the other, and the leader of a stream that is made answers at once, whichever member it is:
 * what it says to a client that it has not heard of is lost, and the request unanswered.
 */
export async function knownEverywhere(
  nc: NatsConnection,
  urls: readonly string[],
  credentials: Pick<ConnectionOptions, "user" | "pass"> = {},
): Promise<void> {
  // The first request makes the subscription for the answers to all; members hear of it first.
  await eventually(() => nc.request("$JS.API.INFO"), {
    ...{ withinMs: KNOWN_MS, everyMs: 100 },
    describe: "the cluster answers",
  });
  for (const servers of urls) {
    const probe = createInbox();
    let isHeard = false;
    const sub = nc.subscribe(probe, { callback: () => void (isHeard = true) });
    await using member = await connect({ servers, ignoreClusterUpdates: true, ...credentials });
    await eventually(
      async () => {
        member.publish(probe);
        await member.flush();
        await nc.flush();
        return isHeard;
      },
      { withinMs: KNOWN_MS, describe: `${servers} knows the client` },
    );
    sub.unsubscribe();
  }
}
