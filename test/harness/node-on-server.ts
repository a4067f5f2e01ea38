import { connectBroker } from "@millrace/broker-nats";
import type { Broker } from "@millrace/core";
import { createNode, type MillraceNode, type NodeOptions } from "@millrace/runtime";
import { cleanUpLater } from "./cleanup.ts";

export interface NodeOnServer {
  readonly node: MillraceNode;
  readonly broker: Broker;
  readonly namespace: string;
}

/**
 * A started node with a broker of its own; both are closed when the test (or, from a hook, the
 * file) has finished.
 */
export async function startNodeOnServer(
  server: { readonly url: string; namespace(): string },
  options: Omit<NodeOptions, "broker"> & { readonly namespace?: string },
): Promise<NodeOnServer> {
  const { namespace = server.namespace(), ...rest } = options;
  const broker = await connectBroker({ servers: server.url, namespace });
  const node = createNode({ grace: "2s", ...rest, broker });
  cleanUpLater(async () => {
    await node.stop();
    await broker.close();
  });
  await node.start();
  return { node, broker, namespace };
}
