import { connect as connectNats } from "@nats-io/transport-node";
import { expect, test, vi } from "vitest";
import { patientManager } from "../harness/administrator.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { millraceHere, startMillrace } from "./millrace.ts";

vi.setConfig({ testTimeout: patient(180_000) });

interface Result {
  readonly jobs: number;
  readonly enqueuedPerSecond: number;
  readonly workedPerSecond: number;
  readonly pickupMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

describeEachServer("millrace bench", (server) => {
  async function streams(): Promise<readonly string[]> {
    const nc = await connectNats({ servers: server.url });
    try {
      const names: string[] = [];
      for await (const name of (await patientManager(nc)).streams.names()) names.push(name);
      return names;
    } finally {
      await nc.close();
    }
  }

  test("measures, and leaves nothing behind", async () => {
    // A round trip that is cut short fails the measurement, and a job that reaches nobody is waited
    // for a lease long.
    await server.calm();
    const args = ["bench", "--server", server.url, "--jobs", "300", "--json"];
    const { code, json } = await millraceHere(args);
    expect(code).toBe(0);
    const result = json<Result>();
    expect(result.jobs).toBe(300);
    expect(result.enqueuedPerSecond).toBeGreaterThan(0);
    expect(result.workedPerSecond).toBeGreaterThan(0);
    expect(result.pickupMs.p50).toBeGreaterThan(0);
    expect(result.pickupMs.p99).toBeGreaterThanOrEqual(result.pickupMs.p50);
    expect(await streams()).toEqual([]);
  });

  test("leaves nothing behind when it is interrupted", async () => {
    const bench = startMillrace(["bench", "--server", server.url, "--jobs", "1000000"]);
    await eventually(async () => (await streams()).some((name) => name.startsWith("bench-")), {
      withinMs: 20_000,
      describe: "it has begun",
    });
    bench.signal("SIGINT");
    expect((await bench.exit(90_000)).code).toBe(1);
    expect(await streams()).toEqual([]);
  });
});
