import {
  defineJob,
  defineMachine,
  type MachineDocument,
  type MachineEffect,
  silentLogger,
  withOwn,
} from "@millrace/core";
import { MemoryBroker } from "@millrace/testkit";
import { expect, test } from "vitest";
import { createMachine } from "xstate";
import { MachineEffects } from "./machine-effects.ts";
import type { Shelved } from "./machine-shelf.ts";

/** So late that others may have forgotten what was sent to them. */
const NOW = 3_600_000;
const quote = defineJob({ name: "quote", queue: "mail" });
const definition = { ...defineMachine({ name: "m", machine: createMachine({}) }), jobs: { quote } };

/** A document that asks for something, as its bucket has it at a revision. */
function shelved(
  revision: number,
  effect: MachineEffect,
  children: MachineDocument["children"] = {},
): Shelved {
  const document: MachineDocument = {
    ...{ v: 1, machine: "m", id: "a", version: 1, run: "r", rev: revision, status: "active" },
    ...{ value: "s", context: {}, cursor: 0, cause: "1", children, invoked: 0, timers: {} },
    ...{ tickRev: 0, seen: [], trail: [], startedAt: 0, changedAt: 0 },
    ...(effect.do === "tick" ? { tickAt: effect.at } : {}),
    pending: [effect],
  };
  return { document, revision };
}

const tick = (at: number): MachineEffect => ({ do: "tick", at });
const send: MachineEffect = {
  ...{ do: "send", to: { machine: "n", id: "b" }, event: { type: "GO" }, id: "e-1" },
};

/** Carries out what a document asks for; `reads` is what is found afterwards, one by one. */
async function carriedOut(mine: Shelved, reads: readonly Shelved[]) {
  const asked: unknown[] = [];
  const lookedIn: (string | undefined)[] = [];
  const broker = new MemoryBroker();
  const rest = [...reads];
  const effects = new MachineEffects({
    ...{ definition, clock: { now: () => NOW }, log: silentLogger },
    producer: {
      enqueue: (job, _input, options) => {
        const { queue } = job as { readonly queue: string };
        const { id = "" } = options ?? {};
        asked.push({ ...options, queue });
        return Promise.resolve({ id, queue, duplicate: false });
      },
    },
    broker: {
      ...{ blocked: broker.blocked, delayed: broker.delayed, history: broker.history },
      queues: broker.queues,
      documents: (name) => broker.documents(name),
      findWaiting: (id, options) => {
        lookedIn.push(options?.queue);
        return broker.findWaiting(id, options);
      },
      inbox: withOwn(broker.inbox, {
        send: (to) => Promise.resolve(void asked.push(to.machine)),
        tick: (_to, _data, at) => Promise.resolve(void asked.push(at)),
      }),
    },
    shelf: { read: () => Promise.resolve(rest.shift() ?? mine) },
  });
  const outcome = await effects.carryOut(mine, false).then(
    () => "done",
    (error: unknown) => (error as { readonly code: string }).code,
  );
  return { asked, outcome, lookedIn };
}

test("a tick that a newer document has asked for is asked for again, after one that came last", async () => {
  const newer = shelved(8, tick(900));
  expect(await carriedOut(shelved(7, tick(500)), [newer, newer])).toMatchObject({
    ...{ asked: [500, 900], outcome: "done" },
  });
});

test("an older document that is read says nothing of newer ones: it is all done again", async () => {
  expect(await carriedOut(shelved(7, tick(500)), [shelved(6, tick(100))])).toMatchObject({
    ...{ asked: [500], outcome: "conflict" },
  });
});

test("whoever comes late with an event leaves it to who went on, if that is known for certain", async () => {
  const mine = shelved(7, send);
  expect(await carriedOut(mine, [mine])).toMatchObject({ asked: ["n"], outcome: "done" });
  expect(await carriedOut(mine, [shelved(8, send)])).toMatchObject({ asked: [], outcome: "done" });
  expect(await carriedOut(mine, [shelved(6, send)])).toMatchObject({
    asked: [],
    outcome: "conflict",
  });
});

test("whoever comes late with a job, or its cancellation, leaves it to who went on", async () => {
  const enqueue = { do: "enqueue", actor: "q", src: "quote", job: "j-1", input: null } as const;
  const mine = shelved(7, enqueue);
  expect(await carriedOut(mine, [shelved(8, enqueue)])).toMatchObject({
    asked: [],
    outcome: "done",
  });
  expect(await carriedOut(mine, [shelved(6, enqueue)])).toMatchObject({
    asked: [],
    outcome: "conflict",
  });
  const cancel = { do: "cancel", job: "j-1", queue: "mail" } as const;
  const cancelled = await carriedOut(shelved(7, cancel), [shelved(6, cancel)]);
  expect(cancelled.outcome).toBe("conflict");
});

test("an invoked job is not kept out by another that bears its id", async () => {
  const mine = shelved(7, { do: "enqueue", actor: "q", src: "quote", job: "j-1", input: null });
  expect(await carriedOut(mine, [])).toMatchObject({
    ...{ asked: [{ id: "j-1", once: false, queue: "mail" }], outcome: "done" },
  });
});

test("an invoked job is looked for and enqueued where its document says that it is, as it is cancelled there", async () => {
  const enqueue = { do: "enqueue", actor: "q", src: "quote", job: "j-1", input: null } as const;
  // The definition has had another queue since.
  const children = { q: { job: "j-1", queue: "old", src: "quote" } };
  expect(await carriedOut(shelved(7, enqueue, children), [])).toEqual({
    ...{ asked: [{ id: "j-1", once: false, queue: "old" }], outcome: "done", lookedIn: ["old"] },
  });
});
