import { jetstreamManager } from "@nats-io/jetstream";
import { brokerConfig, type NatsBrokerOptions } from "../broker-options.ts";
import { connectNats } from "../connection/connect-nats.ts";
import { retryingRequests } from "../connection/retrying-requests.ts";
import { STREAM_NOT_FOUND } from "../error-codes.ts";
import { apiCode, request } from "../jetstream-errors.ts";

/**
 * Removes every stream and bucket of a namespace, with all that is in them. For namespaces that
 * were made for a measurement or a test, when nothing is connected to them any more.
 *
 * @returns how many streams were removed
 * @throws MillraceError `permission-denied` and its kin
 */
export async function removeNamespace(options: NatsBrokerOptions): Promise<number> {
  const { connection, namespace } = brokerConfig(options);
  const { nc } = await connectNats(connection);
  try {
    const jsm = await jetstreamManager(retryingRequests(nc), { checkAPI: false });
    const names: string[] = [];
    await request("list the streams", async () => {
      for await (const name of jsm.streams.names())
        if (name.startsWith(`${namespace}-`) || name.startsWith(`KV_${namespace}-`))
          names.push(name);
    });
    for (const name of names)
      await request(`remove the stream ${name}`, async () => {
        try {
          await jsm.streams.delete(name);
        } catch (error) {
          if (apiCode(error) !== STREAM_NOT_FOUND) throw error;
        }
      });
    return names.length;
  } finally {
    await nc.close();
  }
}
