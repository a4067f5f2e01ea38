import { EventEmitter, on } from "node:events";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ServerAccess } from "../store/server-access.ts";
import { SingleReplica } from "./single-replica.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

/** A server that answers when it is let, and an operator who changes the bucket. */
function scene(config: { num_replicas: number; allow_direct: boolean }) {
  const statuses = new EventEmitter();
  let looks = 0;
  let refuses = false;
  const streams = {
    info: async () => {
      looks += 1;
      if (refuses) throw new Error("permission denied");
      return { config: { ...config } };
    },
    update: async (_name: string, changed: typeof config) => void Object.assign(config, changed),
  };
  const nc = {
    status: async function* () {
      for await (const [status] of on(statuses, "status")) yield status as unknown;
    },
  };
  const copy = new SingleReplica({ nc, jsm: { streams } } as unknown as ServerAccess, "KV_unique");
  const answered = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    config,
    looks: () => looks,
    refuse: () => void (refuses = true),
    /** What is known once the server has answered what this asked. */
    known: async () => {
      copy.isSole();
      await answered();
      return copy.isSole();
    },
    atOnce: () => copy.isSole(),
    disbelieve: () => copy.disbelieve(),
    reconnect: async () => {
      statuses.emit("status", { type: "reconnect" });
      await answered();
    },
  };
}

test.each([
  [1, false],
  [1, true],
  [3, false],
  [3, true],
])("of %i copies, with direct gets %s before: the setting follows", async (replicas, before) => {
  const { known, atOnce, config } = scene({ num_replicas: replicas, allow_direct: before });
  expect(atOnce()).toBe(false);
  expect(await known()).toBe(replicas === 1);
  expect(config).toEqual({ num_replicas: replicas, allow_direct: replicas === 1 });
});

test("a raise is learnt after ten seconds, and at once after a reconnect", async () => {
  for (const event of ["time", "reconnect"] as const) {
    const { known, atOnce, config, reconnect, looks } = scene({
      num_replicas: 1,
      allow_direct: true,
    });
    expect(await known()).toBe(true);
    config.num_replicas = 3;
    expect(await known()).toBe(true);
    expect(looks()).toBe(1);
    if (event === "time") vi.advanceTimersByTime(10_001);
    else {
      await reconnect();
      expect(atOnce()).toBe(false);
    }
    expect(await known()).toBe(false);
    expect(config.allow_direct).toBe(false);
  }
});

test("an answer that was on its way during a reconnect counts for nothing", async () => {
  const { atOnce, known, reconnect, looks } = scene({ num_replicas: 1, allow_direct: true });
  atOnce();
  await reconnect();
  expect(atOnce()).toBe(false);
  expect(await known()).toBe(true);
  expect(looks()).toBe(2);
});

test("whoever may not look, or is answered otherwise, asks the leader for ten seconds", async () => {
  const denied = scene({ num_replicas: 1, allow_direct: true });
  denied.refuse();
  expect(await denied.known()).toBe(false);
  expect(await denied.known()).toBe(false);
  expect(denied.looks()).toBe(1);

  const answered = scene({ num_replicas: 1, allow_direct: true });
  expect(await answered.known()).toBe(true);
  answered.disbelieve();
  expect(await answered.known()).toBe(false);
  vi.advanceTimersByTime(10_001);
  expect(await answered.known()).toBe(true);
});
