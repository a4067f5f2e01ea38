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
  } as unknown as SharedStreamsOptions);
  await streams.lookAgain();
  expect(looks).toBe(0);
  await streams.ensure();
  answer = new MillraceError("request-timeout", "between two leaders");
  await streams.lookAgain();
  expect(problems).toEqual([answer]);
  answer = undefined;
  await clock.advance("5s");
  expect(looks).toBe(3);
  answer = new MillraceError("connection-closed", "closed");
  await streams.lookAgain();
  await clock.advance("1m");
  expect(looks).toBe(4);
});
