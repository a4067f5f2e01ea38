import type { ServerInfo } from "@nats-io/nats-core";
import type { ModelServer } from "./server.ts";

export const MAX_PAYLOAD = 1_048_576;

/** How a server introduces itself. */
export function greetingOf({ cluster, flavour }: ModelServer): ServerInfo {
  return {
    auth_required: false,
    client_id: 1,
    go: "",
    headers: true,
    host: "127.0.0.1",
    jetstream: true,
    max_payload: MAX_PAYLOAD,
    port: 4222,
    proto: 1,
    server_id: "model",
    server_name: "model",
    version: flavour.version,
    ...(cluster === undefined ? {} : { cluster }),
  };
}
