import assert from "node:assert/strict";
import {
  type InboxBody,
  type InboxMessage,
  type MachineRef,
  MAX_EVENT_BYTES,
} from "@millrace/core";
import { type ConformanceCase, conformanceCase, rejectsWith, type Scene } from "../scene.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = ({ data }: InboxMessage): string => new TextDecoder().decode(data);
const event = (text: string, eventId?: string): InboxBody => ({
  ...{ kind: "event", data: bytes(text) },
  ...(eventId === undefined ? {} : { eventId }),
});

function machineOf(scene: Scene): MachineRef {
  const { id } = scene.job();
  return { machine: `m${id.replaceAll(/[^A-Za-z0-9]/g, "").slice(-20)}`, id: "o:1" };
}

/** Hosts a machine, and leaves nothing of it behind. */
async function host(scene: Scene, of: MachineRef, take: (one: InboxMessage) => Promise<void>) {
  const { inbox } = scene.broker;
  const hosting = await inbox.host(of.machine, { slots: 8, take });
  scene.later(() => hosting.stop());
  return hosting;
}

export const inboxCases: readonly ConformanceCase[] = [
  conformanceCase("inbox: events and ends keep their trace, and no other header", async (scene) => {
    const { inbox } = scene.broker;
    const to = machineOf(scene);
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const headers = { traceparent, baggage: "a=1", "nats-msg-id": "x", "millrace-machine": "stop" };
    const taken: InboxMessage[] = [];
    await host(scene, to, async (message) => void taken.push(message));
    await inbox.send(to, { ...event("one"), headers });
    await inbox.send(to, event("bare"));
    await inbox.tell(to, bytes("end"), headers);
    await scene.harness.eventually("all to be taken", () => new Set(taken.map(textOf)).size === 3);
    const traced = { traceparent, baggage: "a=1" };
    for (const message of taken)
      assert.deepEqual(
        [message.kind, message.headers],
        textOf(message) === "bare"
          ? ["event", undefined]
          : [textOf(message) === "one" ? "event" : "end", traced],
      );
  }),
  conformanceCase("inbox: what was sent is found in its order until it is taken", async (scene) => {
    const { inbox } = scene.broker;
    const to = machineOf(scene);
    const other = { ...to, id: "other" };
    const taken: InboxMessage[] = [];
    // The stream is there once somebody hosts.
    const hosting = await host(scene, { ...to, machine: `x${to.machine}` }, async () => {});
    await hosting.stop();
    assert.equal(await inbox.next(to, 1), undefined);
    await inbox.send(to, { kind: "start", data: new Uint8Array() });
    await inbox.send(other, event("not its own"));
    await inbox.send(to, event("one", "e-1"));
    await inbox.tell(to, bytes("an end is no event"));
    const first = await inbox.next(to, 1);
    assert.equal(first?.kind, "start");
    const second = await inbox.next(to, first.sequence + 1);
    assert.ok(second !== undefined);
    const { kind, eventId } = second;
    assert.deepEqual([kind, eventId, textOf(second)], ["event", "e-1", "one"]);
    assert.equal(await inbox.next(to, second.sequence + 1), undefined);
    assert.equal(await inbox.has(second.place), true);
    await host(scene, to, async (message) => void taken.push(message));
    await scene.harness.eventually("all to be taken and gone", async () => {
      const isGone = await Promise.all(taken.map(async ({ place }) => !(await inbox.has(place))));
      return taken.length >= 4 && isGone.every(Boolean);
    });
    const own = taken.filter(({ id }) => id === to.id).map(({ kind }) => kind);
    assert.deepEqual([...new Set(own)].toSorted(), ["end", "event", "start"]);
    assert.equal(await inbox.next(to, 1), undefined);
  }),

  conformanceCase("inbox: what could not be taken comes again", async (scene) => {
    const { inbox } = scene.broker;
    const to = machineOf(scene);
    let times = 0;
    await host(scene, to, async () => {
      times += 1;
      if (times === 1) throw new Error("not yet");
    });
    await inbox.send(to, event("x"));
    await scene.harness.eventually("the second time", () => times >= 2);
  }),

  conformanceCase("inbox: a tick comes when it is due, and not before", async (scene) => {
    const { inbox } = scene.broker;
    const to = machineOf(scene);
    const came: { readonly text: string; readonly at: number }[] = [];
    await host(scene, to, async (message) => {
      if (message.kind === "tick") came.push({ text: textOf(message), at: scene.harness.now() });
    });
    const due = scene.harness.now() + 2_000;
    await inbox.tick(to, bytes("late"), due);
    await inbox.tick(to, bytes("at once"), scene.harness.now());
    await inbox.tick({ ...to, id: "soon" }, bytes("soon"), due - 1_600);
    await scene.harness.eventually("two ticks", () => came.length >= 2);
    assert.deepEqual(came.map(({ text }) => text).slice(0, 2), ["at once", "soon"]);
    for (const { text, at } of came) if (text === "late") assert.ok(at >= due - 100);
  }),

  conformanceCase("inbox: no more ticks are in hand than there are slots", async (scene) => {
    const { inbox } = scene.broker;
    const to = machineOf(scene);
    const taken = new Set<string>();
    let [running, most] = [0, 0];
    await host(scene, to, async ({ id, place }) => {
      most = Math.max(most, (running += 1));
      // A question to the broker takes until others would have begun.
      await inbox.has(place);
      running -= 1;
      taken.add(id);
    });
    const at = scene.harness.now() + 900;
    const ids = Array.from({ length: 40 }, (_, n) => `o:${n}`);
    await Promise.all(ids.map((id) => inbox.tick({ ...to, id }, bytes("tick"), at)));
    await scene.harness.eventually("all to be taken", () => taken.size === ids.length);
    assert.ok(most <= 8, `${most} were in hand at once`);
  }),
  conformanceCase("inbox: ticks are dropped, but none that was asked for later", async (scene) => {
    const { inbox } = scene.broker;
    const to = machineOf(scene);
    const now = (): number => scene.harness.now();
    const came: string[] = [];
    const tooLate: string[] = [];
    let due = now();
    // With more time where the machine is so busy that one was due before it was dropped.
    for (let aheadMs = 1_500; now() >= due; aheadMs *= 2) {
      const text = `dropped-${aheadMs}`;
      const dropped = { ...to, id: text };
      due = now() + aheadMs;
      await inbox.tick(dropped, bytes(text), due);
      await inbox.tick({ ...to, id: "other" }, bytes("other"), due);
      await inbox.dropTicks(dropped, await inbox.ticksAsked());
      if (now() >= due) tooLate.push(text);
    }
    const again = { ...to, id: "again" };
    const before = await inbox.ticksAsked();
    await inbox.tick(again, bytes("later"), due);
    await inbox.dropTicks(again, before);
    await host(scene, to, async (message) => void came.push(textOf(message)));
    // Of two that are due at once, none is far behind the other.
    const last = { ...to, id: "last" };
    await inbox.tick(last, bytes("last"), due + 500);
    const wanted = ["last", "later", "other"];
    await scene.harness.eventually("all that were not dropped", () =>
      wanted.every((text) => came.includes(text)),
    );
    const inTime = came.filter((text) => !tooLate.includes(text));
    assert.deepEqual([...new Set(inTime)].toSorted(), wanted);
  }),

  conformanceCase("inbox: an event larger than one may be is refused", async (scene) => {
    const { inbox } = scene.broker;
    const to = machineOf(scene);
    await host(scene, to, async () => {});
    await rejectsWith(
      "payload-too-large",
      inbox.send(to, { kind: "event", data: new Uint8Array(MAX_EVENT_BYTES + 8_192) }),
    );
    await inbox.send(to, { kind: "event", data: new Uint8Array(MAX_EVENT_BYTES) });
  }),
];
