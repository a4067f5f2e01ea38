import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { nkeys } from "@nats-io/nats-core";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { cleanUpLater } from "../harness/cleanup.ts";

const EXAMPLES = resolve(import.meta.dirname, "../../deploy/nats");
export const ROLES = ["node", "operator", "shop"] as const;
export type Role = (typeof ROLES)[number];

/** The example with passwords, as the server's environment would fill it in. Every password is its user's name. */
export function passwordExample(): string {
  return ROLES.reduce(
    (text, role) => text.replaceAll(`$${role.toUpperCase()}_PASSWORD`, role),
    readFileSync(join(EXAMPLES, "authorization.conf"), "utf8"),
  );
}

/** The example with nkeys, and each role's seed. */
export function nkeyExample(): {
  readonly config: string;
  readonly seeds: Readonly<Record<Role, string>>;
} {
  const users = ROLES.map((role) => [role, nkeys.createUser()] as const);
  return {
    config: users.reduce(
      (text, [role, user]) => text.replaceAll(`$${role.toUpperCase()}_NKEY`, user.getPublicKey()),
      readFileSync(join(EXAMPLES, "authorization-nkeys.conf"), "utf8"),
    ),
    seeds: Object.fromEntries(
      users.map(([role, user]) => [role, new TextDecoder().decode(user.getSeed())]),
    ) as Record<Role, string>,
  };
}

/** A bare client with the password example. */
export async function asRole(
  server: { readonly url: string },
  role: Role,
): Promise<NatsConnection> {
  const nc = await connect({ servers: server.url, user: role, pass: role });
  cleanUpLater(() => nc.close());
  return nc;
}
