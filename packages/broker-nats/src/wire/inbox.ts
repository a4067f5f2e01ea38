import type { NatsConnection } from "@nats-io/nats-core";
import { machineOf } from "../machine/machine.ts";

/**
 * A fresh inbox under the connection's own prefix, which permissions may demand. nats-core keeps it
 * in `options`.
 */
export function newInbox(nc: NatsConnection): string {
  const { options } = nc as { readonly options?: { readonly inboxPrefix?: string } };
  return `${options?.inboxPrefix || "_INBOX"}.${machineOf(nc).newToken()}`;
}
