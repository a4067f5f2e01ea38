import { expect, test } from "vitest";
import { describeEachServer } from "../harness/servers.ts";
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
