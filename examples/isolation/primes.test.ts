import { connect, defineJob, runNode } from "millrace";
import { expect, test } from "vitest";
import { describeServer } from "../../test/harness/servers.ts";
import primesJob, { primes } from "./primes.ts";
import { patient } from "../../test/harness/cluster/mode.ts";

const DEADLINE_MS = 120_000;

describeServer("a CPU-bound job in a thread", "newest", (server) => {
  test(
    "the node goes on meanwhile, and the timeout ends the work",
    { timeout: DEADLINE_MS },
    async () => {
      const options = { servers: server.url, namespace: server.namespace(), env: {} };
      const ping = defineJob({ name: "ping" });
      const jobs = [primesJob, ping.handler(() => "pong")];
      await using _node = await runNode({ ...options, jobs, healthPort: 0 });
      await using millrace = await connect(options);

      const few = await millrace.enqueue(primes, { below: 100 });
      expect(await few.result({ timeout: patient(60_000) })).toEqual({
        count: 25,
        onMainThread: false,
      });

      // An election is longer than the timeout.
      await server.calm();
      const endless = await millrace.enqueue(primes, { below: Number.MAX_SAFE_INTEGER });
      const ended: string[] = [];
      const outcome = endless.result({ timeout: patient(60_000) }).catch((error: unknown) => {
        ended.push("primes");
        return error;
      });
      const pong = await millrace.enqueue(ping, null);
      expect(await pong.result({ timeout: patient(60_000) })).toBe("pong");
      ended.push("ping");
      expect(await outcome).toMatchObject({ code: "timed-out" });
      expect(ended).toEqual(["ping", "primes"]);
      expect(await endless.status()).toMatchObject({ state: "dead", attempts: 1 });
    },
  );
});
