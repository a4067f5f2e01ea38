import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "millrace";
import { expect, test } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { describeEachServer, describeServer } from "../harness/servers.ts";
import { millrace } from "./millrace.ts";

describeEachServer(
  "a server that wants a password",
  (server) => {
    test("the wrong one is refused with exit code 3, from whichever source; the right one is let in", async () => {
      const args = ["queues", "--json", "--server", server.url];
      for (const env of [{}, { MILLRACE_USER: "ada", MILLRACE_PASSWORD: "wrong-secret" }] as Record<
        string,
        string
      >[]) {
        const refused = await millrace(args, { env });
        expect(refused.code).toBe(3);
        expect(refused.json()).toMatchObject({ error: { code: "auth-failed" } });
        expect(refused.out + refused.err).not.toContain("wrong-secret");
      }
      expect(
        await millrace(args, { env: { MILLRACE_USER: "ada", MILLRACE_PASSWORD: "right" } }),
      ).toMatchObject({ code: 0, out: "[]\n" });
      const url = server.url.replace("nats://", "nats://ada:right@");
      expect(
        await millrace(["queues", "--json"], { env: { MILLRACE_SERVERS: url } }),
      ).toMatchObject({ code: 0, out: "[]\n" });
    });
  },
  {
    config: "authorization { user: ada, password: right }",
    connectWith: { user: "ada", pass: "right" },
  },
);

describeEachServer(
  "a server without JetStream",
  (server) => {
    test("is named as such, with exit code 3", async () => {
      const refused = await millrace(["queues", "--json", "--server", server.url]);
      expect(refused.code).toBe(3);
      expect(refused.json()).toMatchObject({ error: { code: "jetstream-disabled" } });
      expect((await millrace(["doctor", "--json", "--server", server.url])).json()).toMatchObject({
        healthy: false,
        findings: [{ check: "connection", status: "fail" }],
      });
    });
  },
  { jetstream: false },
);

describeServer("a payload that is not in UTF-8", "newest", (server) => {
  /** `{"a":"ü"}` in Latin 1. */
  const LATIN_1 = Uint8Array.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xfc, 0x22, 0x7d]);
  const MARKED = Buffer.from('\u{feff}{"a":"ü"}');

  test("is refused, from a file and from standard input; with a byte order mark it is taken", async () => {
    const namespace = server.namespace();
    await using client = await connect({ servers: server.url, namespace, env: {} });
    await client.queues.ensure("work");
    const dir = await mkdtemp(join(tmpdir(), "millrace-payload-"));
    cleanUpLater(() => rm(dir, { recursive: true }));
    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
    const enqueue = async (bytes: Uint8Array) => {
      await writeFile(join(dir, "payload.json"), bytes);
      const args = (from: string) => ["enqueue", "j", from, "--queue", "work", "--json"];
      return [
        await millrace(args("@payload.json"), { env, cwd: dir }),
        await millrace(args("-"), { env, stdin: bytes }),
      ];
    };
    for (const refused of await enqueue(LATIN_1)) {
      expect(refused.code).toBe(2);
      expect(refused.json()).toMatchObject({
        error: {
          code: "invalid-payload",
          message: expect.stringMatching(/Save it as UTF-8/) as string,
        },
      });
    }
    expect(await client.queues.snapshot("work")).toMatchObject({ queued: 0 });
    for (const taken of await enqueue(MARKED)) expect(taken.code).toBe(0);
    const { jobs } = await client.jobs.search({ state: "queued", where: "payload.a:ü" });
    expect(jobs).toHaveLength(2);
  });
});
