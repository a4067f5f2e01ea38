import type { MachineDocument, MachineEffect } from "@millrace/core";
import { expect, test } from "vitest";
import { document, hosted, sent } from "./hosted-machine.fixture.ts";

const EFFECTS: readonly MachineEffect[] = [
  { do: "enqueue", actor: "n", src: "notify", job: "j-1" },
  { do: "act", action: "newer", event: { type: "GO" } },
  sent("open", 0),
];
const children = { n: { job: "j-1", queue: "q", src: "notify" } };
/** What it came of is delivered again: the host that wrote it has died. */
const BY = { children, cursor: 7, cause: "p-7" };

test.each(EFFECTS)(
  "a node of an older version does nothing of what a newer document asks for: $do",
  async (effect) => {
    const newer: MachineDocument = { ...document, ...BY, version: 2, pending: [effect] };
    const host = await hosted(newer);
    await expect(host.take("OTHER")).rejects.toMatchObject({ code: "machine-mismatch" });
    expect({ told: host.told, accepted: host.accepted }).toEqual({ told: [], accepted: [] });
    expect(await host.stored()).toEqual(newer);
  },
);

test("nor where the machine has ended by it", async () => {
  const ended: MachineDocument = {
    ...{ ...document, cause: "p-7", version: 2, status: "done" },
    pending: [{ do: "act", action: "newer", event: { type: "GO" } }, sent("open", 0)],
  };
  const host = await hosted(ended);
  await expect(host.take("OTHER")).rejects.toMatchObject({ code: "machine-mismatch" });
  expect(host.accepted).toEqual([]);
});

test("a machine that has ended, and of which all is done, passes events over as before", async () => {
  const host = await hosted({ ...document, version: 2, status: "done", pending: [] });
  await host.take("OTHER");
  expect(await host.stored()).toMatchObject({ cursor: 7, status: "done", version: 2 });
});
