import { askedEvent, askedMachine, askedTick } from "./asked.ts";
import { type Asking, ONE } from "./changes.ts";
import type { ChangeView } from "../views/views.ts";

/** Its input is not in the audit: it may be anything. */
export async function startMachine({ fleet, user, body }: Asking): Promise<ChangeView> {
  const { machine, id, input } = askedMachine(body);
  await fleet.audit.perform(
    { action: "machines start", filter: { machine, id }, by: user.name },
    // Only the machine's own definition says what its input may be.
    () => fleet.machine(machine, id).start(input as undefined),
  );
  return ONE;
}

/** What an event carries is not in the audit: it may be anything. */
export async function sendEvent(
  name: string,
  id: string,
  { fleet, user, body }: Asking,
): Promise<ChangeView> {
  const event = askedEvent(body);
  await fleet.audit.perform(
    {
      ...{ action: "machines send", by: user.name },
      filter: { machine: name, id, event: event.type.slice(0, 100) },
    },
    async () => {
      const to = fleet.machine(name, id);
      // Nobody would be told that it was dropped.
      await to.snapshot();
      await to.send(event);
    },
  );
  return { count: 1, failed: [] };
}

export async function stopMachine(
  machine: string,
  id: string,
  { fleet, user, body }: Asking,
): Promise<ChangeView> {
  askedTick(body, "stop");
  await fleet.audit.perform(
    { action: "machines stop", filter: { machine, id }, by: user.name },
    async () => {
      const of = fleet.machine(machine, id);
      // Nobody would be told that there is none.
      await of.snapshot();
      await of.stop();
    },
  );
  return ONE;
}

export async function removeMachine(
  machine: string,
  id: string,
  { fleet, user, body }: Asking,
): Promise<ChangeView> {
  const force = askedTick(body, "force");
  const removed = await fleet.audit.perform(
    {
      ...{ action: "machines remove", by: user.name },
      filter: { machine, id, ...(force ? { force } : {}) },
    },
    () => fleet.machines.remove(machine, id, { force }),
    (done) => ({ count: done ? 1 : 0 }),
  );
  const message = "There is no such machine, or it changed at this very moment: try again.";
  return removed ? ONE : { count: 0, failed: [{ id, message }] };
}
