import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createConnection, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { nkeys } from "@nats-io/nats-core";
import { expect, onTestFinished, test } from "vitest";
import { connectNats } from "../../packages/broker-nats/src/connection/connect-nats.ts";
import { describeOnOwnServers } from "./real-server.ts";

async function scratch(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "millrace-connect-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** A port that nothing listens on: bound once, then let go. */
async function deadPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describeOnOwnServers("connectNats", (start, generation) => {
  test("knows the server's features", async () => {
    await using server = await start();
    const { nc, features } = await connectNats({ servers: server.url, name: "test" });
    expect(features).toMatchObject(
      generation === "newest"
        ? { schedules: true, messageTtl: true }
        : { schedules: false, messageTtl: false },
    );
    expect(features.version).toBe(nc.info?.version);
    await nc.close();
  });

  test.each(["at once", "after its first word", "after ours"])(
    "behind an address of several servers, one that dies %s is not the end of it",
    async (dies) => {
      await using server = await start();
      const { port } = new URL(server.url);
      let dials = 0;
      const address = createServer((client) => {
        dials += 1;
        client.on("error", () => client.destroy());
        const upstream = createConnection(Number(port), "127.0.0.1");
        upstream.on("error", () => client.destroy());
        client.on("close", () => upstream.destroy());
        if (dials > 1) client.pipe(upstream).pipe(client);
        else if (dies === "at once") client.destroy();
        else if (dies === "after its first word")
          upstream.once("data", (info) => client.end(info, () => client.destroy()));
        else {
          upstream.once("data", (info) => client.write(info));
          client.once("data", () => client.destroy());
        }
      }).listen(0, "127.0.0.1");
      onTestFinished(() => void address.close());
      await once(address, "listening");
      const servers = `127.0.0.1:${(address.address() as AddressInfo).port}`;
      const { nc } = await connectNats({ servers, connectTimeoutMs: 500 });
      expect(dials).toBe(2);
      await nc.close();
    },
  );

  test("a JetStream that does not answer is waited for, where the server is", async () => {
    await using server = await start();
    const { port } = new URL(server.url);
    const ASKS = 3;
    let unheard = 0;
    const address = createServer((client) => {
      client.on("error", () => client.destroy());
      const upstream = createConnection(Number(port), "127.0.0.1");
      upstream.on("error", () => client.destroy());
      client.on("close", () => upstream.destroy());
      client.pipe(upstream);
      upstream.on("data", (data) => {
        if (unheard < ASKS && data.includes("account_info_response")) unheard += 1;
        else client.write(data);
      });
    }).listen(0, "127.0.0.1");
    onTestFinished(() => void address.close());
    await once(address, "listening");
    const servers = `127.0.0.1:${(address.address() as AddressInfo).port}`;
    const told: string[] = [];
    const { nc } = await connectNats({ servers, waitOnFirstConnect: true }, undefined, (error) =>
      told.push(error.code),
    );
    await nc.close();
    expect(new Set(told)).toEqual(new Set(["broker-unavailable"]));
    unheard = 0;
    await expect(connectNats({ servers })).rejects.toMatchObject({ code: "broker-unavailable" });
  });

  test("accepts user and password, by options or in the URL, a token, and an nkey seed", async () => {
    await using users = await start({ config: `authorization { user: u, password: "p:s3cret" }` });
    const inUrl = users.url.replace("nats://", "nats://u:p%3As3cret@");
    await (
      await connectNats({
        servers: users.url,
        auth: { kind: "password", user: "u", password: "p:s3cret" },
      })
    ).nc.close();
    await (await connectNats({ servers: inUrl })).nc.close();
    const wrong = connectNats({ servers: users.url.replace("nats://", "nats://u:wr0ng@") });
    await expect(wrong).rejects.toMatchObject({
      code: "auth-failed",
      message: expect.not.stringContaining("wr0ng"),
    });
    await expect(connectNats({ servers: users.url })).rejects.toMatchObject({
      code: "auth-failed",
    });
    await expect(
      connectNats({ servers: users.url, waitOnFirstConnect: true }),
    ).rejects.toMatchObject({ code: "auth-failed" });

    await using tokens = await start({ config: `authorization { token: "t0ken" }` });
    await (
      await connectNats({ servers: tokens.url, auth: { kind: "token", token: "t0ken" } })
    ).nc.close();

    const key = nkeys.createUser();
    const seedFile = join(await scratch(), "user.nk");
    await writeFile(seedFile, `${new TextDecoder().decode(key.getSeed())}\n`);
    await using keyed = await start({
      config: `authorization { users: [ { nkey: ${key.getPublicKey()} } ] }`,
    });
    await (await connectNats({ servers: keyed.url, auth: { kind: "nkey", seedFile } })).nc.close();
  });

  test("says what is wrong with a credentials file without quoting it", async () => {
    await using server = await start();
    const file = join(await scratch(), "user.creds");
    await expect(
      connectNats({ servers: server.url, auth: { kind: "credentials", file } }),
    ).rejects.toMatchObject({
      code: "credentials-unreadable",
      message: expect.stringContaining(file),
    });
    await writeFile(file, "my-s3cret-by-mistake");
    const garbage = await connectNats({
      servers: server.url,
      auth: { kind: "credentials", file },
    }).catch((error: unknown) => error as Error);
    expect(garbage).toMatchObject({ code: "credentials-unreadable" });
    expect(inspect(garbage)).not.toContain("s3cret");
    await expect(
      connectNats({ servers: server.url, auth: { kind: "nkey", seedFile: file } }),
    ).rejects.toMatchObject({ code: "credentials-unreadable" });
  });

  test("refuses a server without JetStream", async () => {
    await using server = await start({ jetstream: false });
    await expect(connectNats({ servers: server.url })).rejects.toMatchObject({
      code: "jetstream-disabled",
    });
    await using account = await start({
      config: `accounts { A { users: [ { user: a, password: a } ] } }`,
    });
    await expect(
      connectNats({ servers: account.url, auth: { kind: "password", user: "a", password: "a" } }),
    ).rejects.toMatchObject({ code: "jetstream-disabled" });
  });

  test("connects by TLS, in both orders, and names a CA it doesn't trust", async () => {
    const dir = await scratch();
    const [cert, key] = [join(dir, "cert.pem"), join(dir, "key.pem")];
    execFileSync(
      "openssl",
      [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=IP:127.0.0.1,DNS:localhost",
        "-keyout",
        key,
        "-out",
        cert,
      ],
      { stdio: "ignore" },
    );
    const tls = `cert_file: "${cert}", key_file: "${key}"`;
    await using server = await start({ config: `tls { ${tls} }` });
    await (await connectNats({ servers: server.url, tls: { caFile: cert } })).nc.close();
    await expect(connectNats({ servers: server.url })).rejects.toMatchObject({
      code: "tls-failed",
    });
    await expect(
      connectNats({ servers: server.url, tls: { caFile: join(dir, "none.pem") } }),
    ).rejects.toMatchObject({ code: "tls-failed" });
    await using first = await start({ config: `tls { ${tls}, handshake_first: true }` });
    await (
      await connectNats({ servers: first.url, tls: { caFile: cert, handshakeFirst: true } })
    ).nc.close();
  });
});

test("a server that never says a word: fails after a second try", async () => {
  const clients: Socket[] = [];
  const mute = createServer((client) => {
    clients.push(client);
    client.on("error", () => client.destroy());
  }).listen(0, "127.0.0.1");
  onTestFinished(() => {
    mute.close();
    for (const client of clients) client.destroy();
  });
  await once(mute, "listening");
  const servers = `127.0.0.1:${(mute.address() as AddressInfo).port}`;
  await expect(connectNats({ servers, connectTimeoutMs: 200 })).rejects.toMatchObject({
    code: "server-unreachable",
  });
  expect(clients).toHaveLength(2);
});

test("no server: fails at once, waits when told to, and stops waiting when told to", async () => {
  const servers = `127.0.0.1:${await deadPort()}`;
  await expect(connectNats({ servers: `nats://u:s3cret@${servers}` })).rejects.toMatchObject({
    code: "server-unreachable",
    message: expect.not.stringContaining("s3cret"),
  });
  const stop = new AbortController();
  const waiting = connectNats(
    { servers, waitOnFirstConnect: true, reconnectWaitMs: 20 },
    stop.signal,
  );
  await expect(
    Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 200, "still waiting"))]),
  ).resolves.toBe("still waiting");
  stop.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow();
});
