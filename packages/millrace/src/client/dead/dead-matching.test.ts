import type { StoredDeadLetter } from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { createClient } from "../client.ts";

/** As many letters come as are read. */
function everMore() {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const { deadLetters } = broker;
  let pages = 0;
  deadLetters.newest = () => Promise.resolve(300);
  deadLetters.list = ({ limit = 100, after = 0 } = {}) => {
    if ((pages += 1) > 20) throw new Error("it would never end");
    return Promise.resolve(Array.from({ length: limit }, (_, n) => letter(after + n + 1)));
  };
  return createClient(broker, clock);
}

function letter(sequence: number): StoredDeadLetter {
  return {
    ...{ id: `dead-${sequence}`, queue: "mail", name: "mail.send", node: "n", sequence, at: 1 },
    ...{ reason: "fatal", attempts: 1, headers: {}, body: new Uint8Array() },
  };
}

test.each([
  ["name=mail.send", 300],
  ["name=other", 0],
])(
  "a look at dead letters ends, though more come while they are read: %s",
  async (where, found) => {
    const filter = { where };
    expect(await everMore().operations.count({ kind: "dead-retry", filter })).toBe(found);
    expect(await everMore().dead.list({ ...filter, limit: 10_000 })).toHaveLength(found);
    const groups = await everMore().dead.groups(filter);
    expect(groups.reduce((sum, { count }) => sum + count, 0)).toBe(found);
  },
);

test("who changes letters asks for the newest of them so that no new leader leaves any out", async () => {
  for (const change of ["operation", "retry", "discard"] as const) {
    const clock = new SimulatedClock();
    const broker = new MemoryBroker({ clock });
    const client = createClient(broker, clock);
    const { deadLetters } = broker;
    for (let n = 1; n <= 250; n += 1)
      await deadLetters.add({ ...letter(n), reason: "unsettled" }, String(n));
    const newest = deadLetters.newest.bind(deadLetters);
    // As of a leader that has not applied all that the one before it had confirmed.
    deadLetters.newest = async (options) => (options?.once === true ? newest(options) : 210);
    if (change === "operation") {
      const target = { kind: "dead-discard", filter: { queue: "mail" } } as const;
      expect(await client.operations.count(target)).toBe(250);
    } else expect(await client.dead[change]({ queue: "mail" })).toHaveLength(250);
  }
});

test("the letters of one id are read to the end, however far the newest is behind", async () => {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const { deadLetters } = broker;
  await deadLetters.add(letter(1), "1");
  deadLetters.newest = () => Promise.resolve(0);
  const client = createClient(broker, clock);
  expect(await client.dead.show("dead-1")).toMatchObject({ id: "dead-1" });
  expect(await client.dead.list()).toHaveLength(1);
});
