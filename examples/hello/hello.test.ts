import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { millrace, startMillrace } from "../../test/cli/millrace.ts";
import { startChild } from "../../test/harness/child.ts";
import { outOfCluster } from "../../test/harness/cluster/out-of-cluster.ts";
import { eventually } from "../../test/harness/deadline.ts";
import { nameOf, serversUnderTest } from "../../test/harness/servers.ts";

const README = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
const here = (file: string): string => join(import.meta.dirname, file);

for (const target of serversUnderTest()) {
  describe.skipIf(target.state === "missing")(`hello, world with ${nameOf(target)}`, () => {
    let dir: string;
    beforeAll(async () => void (dir = await mkdtemp(join(tmpdir(), "millrace-hello-"))));
    afterAll(() => rm(dir, { recursive: true }));

    test("`millrace dev hello.ts`, then publish.ts, then one publish by a bare client", async () => {
      outOfCluster();
      if (target.state === "missing") throw new Error(target.reason);
      const dev = startMillrace(
        ["dev", here("hello.ts"), "--dir", dir, "--port", "0", "--health-port", "0", "--json"],
        { NATS_SERVER: target.path },
      );
      const ready = JSON.parse(await dev.line(/"healthUrl"/, 30_000)) as { servers: string[] };
      const env = { MILLRACE_SERVER: ready.servers.join(",") };

      const publish = startChild(here("publish.ts"), { env });
      expect(await publish.exit(90_000)).toEqual({ code: 0, signal: null });
      expect(publish.output()).toEqual(["Hello, world!"]);

      const [, subject, body] = /^nats pub (\S+) '(.+)'$/m.exec(README) ?? [];
      const client = await connect({ servers: env.MILLRACE_SERVER });
      const reply = await client.request(subject as string, body);
      await client.close();
      expect(reply.json()).toMatchObject({ stream: expect.stringContaining("default") as string });

      const jobs = await eventually(
        async () => {
          const listed = await millrace(["jobs", "list", "--state", "succeeded", "--json"], {
            env,
          });
          const found = listed.json<{ id: string }[]>();
          return found.length === 2 ? found : undefined;
        },
        { withinMs: 20_000, describe: "both jobs have succeeded" },
      );
      const job = await millrace(["jobs", "get", jobs[0]?.id as string, "--json"], { env });
      expect(job.json()).toMatchObject({
        state: "succeeded",
        attempts: 2,
        result: "Hello, world!",
        history: [{ outcome: "failed" }, { outcome: "succeeded" }],
      });
      dev.signal("SIGTERM");
      expect(await dev.exit(90_000)).toEqual({ code: 0, signal: null });
    });
  });
}
