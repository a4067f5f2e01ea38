import type { ServerEndpoint } from "@millrace/core";

const HOST_PORT = /^\[?(.+?)\]?:(\d+)$/;

/**
 * What the client calls its server, taken apart: `10.0.0.7:4222`, `[::1]:4222`. Undefined where it
 * is no such thing.
 */
export function endpointOf(server: string): ServerEndpoint | undefined {
  const [, address, port] = HOST_PORT.exec(server) ?? [];
  return address === undefined ? undefined : { address, port: Number(port) };
}
