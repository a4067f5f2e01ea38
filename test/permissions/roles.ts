import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { nkeyAuthenticator, nkeys } from "@nats-io/nats-core";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { connect as connectClient, type Millrace } from "millrace";
import { cleanUpLater } from "../harness/cleanup.ts";
import type { UseServerOptions } from "../harness/cluster/test-cluster.ts";

const EXAMPLES = resolve(import.meta.dirname, "../../deploy/nats");
export const ROLES = ["node", "operator", "shop"] as const;
export type Role = (typeof ROLES)[number];

/**
 * The example with passwords, as the server's environment would fill it in. Every password is its
 * user's name.
 */
function passwordExample(): string {
  return ROLES.reduce(
    (text, role) => text.replaceAll(`$${role.toUpperCase()}_PASSWORD`, role),
    readFileSync(join(EXAMPLES, "authorization.conf"), "utf8"),
  );
}

/** A server with the example, and who may make a stream there. */
export function passwordServer(): UseServerOptions {
  return { config: passwordExample(), connectWith: { user: "operator", pass: "operator" } };
}

/** The example with nkeys, each role's seed, and who may make a stream there. */
export function nkeyExample(): {
  readonly config: string;
  readonly connectWith: NonNullable<UseServerOptions["connectWith"]>;
  readonly seeds: Readonly<Record<Role, string>>;
} {
  const users = ROLES.map((role) => [role, nkeys.createUser()] as const);
  const operator = users.find(([role]) => role === "operator")?.[1];
  return {
    config: users.reduce(
      (text, [role, user]) => text.replaceAll(`$${role.toUpperCase()}_NKEY`, user.getPublicKey()),
      readFileSync(join(EXAMPLES, "authorization-nkeys.conf"), "utf8"),
    ),
    connectWith: { authenticator: nkeyAuthenticator(operator?.getSeed()) },
    seeds: Object.fromEntries(
      users.map(([role, user]) => [role, new TextDecoder().decode(user.getSeed())]),
    ) as Record<Role, string>,
  };
}

/** A client of the operator's, with the password example. */
export async function operatorOf(server: { readonly url: string }): Promise<Millrace> {
  const operator = await connectClient({
    ...{ servers: server.url, user: "operator", password: "operator" },
  });
  cleanUpLater(() => operator.close());
  return operator;
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
