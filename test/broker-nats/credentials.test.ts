import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeAccount, encodeOperator, encodeUser, fmtCreds } from "@nats-io/jwt";
import { nkeys } from "@nats-io/nats-core";
import { connect, createNode, defineJob } from "millrace";
import { expect, onTestFinished, test } from "vitest";
import { leaveOutOfCluster, patient } from "../harness/cluster/mode.ts";
import { describeOnOwnServers } from "./real-server.ts";

/** A limit that is left out is 0, and then even the one connection is too many. */
const UNLIMITED = Object.fromEntries(
  [
    ...["conn", "subs", "data", "payload", "imports", "exports", "leaf"],
    ...["mem_storage", "disk_storage", "streams", "consumer"],
  ].map((limit) => [limit, -1]),
);

/**
 * An operator with one account, as a server's configuration, and a credentials file of a user of
 * that account.
 */
async function decentralized(): Promise<{ config: string; file: string }> {
  const [operator, account, system, user] = [
    nkeys.createOperator(),
    nkeys.createAccount(),
    nkeys.createAccount(),
    nkeys.createUser(),
  ];
  const accounts = [
    [account, await encodeAccount("jobs", account, { limits: UNLIMITED }, { signer: operator })],
    [system, await encodeAccount("sys", system, {}, { signer: operator })],
  ] as const;
  const dir = await mkdtemp(join(tmpdir(), "millrace-creds-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const file = join(dir, "user.creds");
  await writeFile(file, fmtCreds(await encodeUser("worker", user, account), user));
  return {
    file,
    config: `
      operator: ${await encodeOperator("op", operator)}
      system_account: ${system.getPublicKey()}
      resolver: MEMORY
      resolver_preload: { ${accounts.map(([key, jwt]) => `${key.getPublicKey()}: ${jwt}`).join("\n")} }
    `,
  };
}

describeOnOwnServers("a credentials file", (start) => {
  test("carries a node, its leases and a producer through a job", async (context) => {
    leaveOutOfCluster(context, "its server is alone");
    const { config, file } = await decentralized();
    await using server = await start({ config });
    const job = defineJob<{ n: number }>({ name: "double", queue: "work" });
    const node = await createNode({
      servers: server.url,
      credsFile: file,
      jobs: [job.handler(({ input }) => input.n * 2)],
    });
    onTestFinished(() => node.stop());
    await node.start();
    await using client = await connect({ servers: server.url, credsFile: file });
    const handle = await client.enqueue(job, { n: 21 });
    expect(await handle.result({ timeout: patient(20_000) })).toBe(42);
    await expect(connect({ servers: server.url })).rejects.toMatchObject({ code: "auth-failed" });
  });
});
