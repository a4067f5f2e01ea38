import { MillraceError } from "@millrace/core";
import { SimulatedClock } from "@millrace/testkit";
import type { NatsConnection } from "@nats-io/nats-core";
import { expect, test } from "vitest";
import { serverFeatures } from "../connection/server-features.ts";
import { setMachine, systemMachine } from "../machine/machine.ts";
import { SharedStreams, type SharedStreamsOptions } from "./shared-streams.ts";
import { Names } from "./subjects.ts";

test("streams that could not be looked at after a reconnect are looked at again, until the connection is closed", async () => {
  const clock = new SimulatedClock();
  const nc = {} as NatsConnection;
  setMachine(nc, { ...systemMachine, clock });
  let answer: MillraceError | undefined;
  let looks = 0;
  const problems: unknown[] = [];
  let mended = 0;
  const stream = { retention: "limits", subjects: ["m.>"] };
  const jsm = {
    streams: {
      info: async () => ({ config: stream }),
      update: async (_name: string, config: object) => ({ config }),
    },
  };
  const streams = new SharedStreams({
    server: { nc, jsm, names: new Names("m") },
    config: { history: { maxAgeMs: 1, maxRecords: 1 }, replicas: 1 },
    delays: {
      ensure: async () => {
        looks += 1;
        if (answer !== undefined) throw answer;
      },
    },
    features: () => serverFeatures("2.10.29"),
    ensureProgress: async () => {},
    onHistory: () => {},
    onProblem: (error: unknown) => void problems.push(error),
    onMended: () => void (mended += 1),
  } as unknown as SharedStreamsOptions);
  await streams.lookAgain();
  expect(looks).toBe(0);
  await streams.ensure();
  answer = new MillraceError("request-timeout", "between two leaders");
  await streams.lookAgain();
  expect(problems).toEqual([answer]);
  // What lasts is told once, and anything else at once.
  await clock.advance("10s");
  const other = (answer = new MillraceError("broker-unavailable", "no disk"));
  await clock.advance("10s");
  expect([problems.slice(1), looks, mended]).toEqual([[other], 6, 0]);
  answer = undefined;
  await clock.advance("5s");
  await streams.lookAgain();
  expect([looks, mended]).toEqual([8, 1]);
  answer = new MillraceError("connection-closed", "closed");
  await streams.lookAgain();
  await clock.advance("1m");
  expect(looks).toBe(9);
});
