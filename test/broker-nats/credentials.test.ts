import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeAccount, encodeOperator, encodeUser, fmtCreds } from "@nats-io/jwt";
import { nkeys } from "@nats-io/nats-core";
import { connect, createNode, defineJob } from "millrace";
import { type Logger, silentLogger } from "@millrace/core";
import { expect, onTestFinished, test } from "vitest";
import { leaveOutOfCluster, patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
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

const asked = (password: string): string =>
  `authorization { users: [{ user: worker, password: "${password}" }] }`;

describeOnOwnServers("credentials that count no more", (start) => {
  test("are told of once, by their code, in the log and where the node is asked how it is", async (context) => {
    leaveOutOfCluster(context, "its server is alone");
    const storeDir = await mkdtemp(join(tmpdir(), "millrace-refused-"));
    onTestFinished(() => rm(storeDir, { recursive: true, force: true }));
    let server = await start({ storeDir, config: asked("first") });
    onTestFinished(() => server.dispose());
    const { port } = server;
    const servers = `nats://worker:first@127.0.0.1:${port}`;
    const errors: Readonly<Record<string, unknown>>[] = [];
    const log: Logger = {
      ...silentLogger,
      error: (fields) => void errors.push({ ...fields }),
      child: () => log,
    };
    const job = defineJob<null>({ name: "idle", queue: "work" });
    const node = await createNode({ servers, jobs: [job.handler(() => {})], log });
    onTestFinished(() => node.stop());
    await node.start();
    await using client = await connect({ servers });
    const become = async (password: string): Promise<void> => {
      await server.dispose();
      server = await start({ storeDir, port, config: asked(password) });
    };
    await become("second");
    await eventually(() => node.health().problems.join().includes("auth-failed"), {
      ...{ withinMs: 30_000, describe: () => node.health().problems.join() },
    });
    const problem = async (): Promise<string> => (await client.health()).problem ?? "";
    await eventually(async () => (await problem()).includes("refuses the credentials"), {
      ...{ withinMs: 30_000, describe: "the producer's health says so too" },
    });
    await become("second");
    const told = errors.filter(({ error }) => JSON.stringify(error).includes("auth-failed"));
    expect(told).toHaveLength(1);
    expect(JSON.stringify(errors)).not.toMatch(/first|second/);
    await become("first");
    await eventually(() => node.health().ready, {
      ...{ withinMs: 30_000, describe: () => node.health().problems.join() },
    });
  });
});

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
