import {
  findMachine,
  type MachineDocument,
  MACHINES_BUCKET,
  requireMachineId,
  requireMachineName,
} from "@millrace/core";
import { audited, type AuditIntent, type AuditTally } from "../../../client/audit.ts";
import type { Millrace } from "../../../client/millrace.ts";
import { flag, text } from "../../../config/field-kinds.ts";
import { command } from "../../command.ts";
import { ASKS_FIRST, confirmed } from "../../confirm.ts";
import { EXIT } from "../../exit-codes.ts";
import { clean } from "../../show/clean.ts";
import { withClient } from "../../with-client.ts";
import { parsePayload, payloadText } from "../enqueue.ts";
import { stateText } from "./machines-list.ts";

export const machinesStart = command({
  name: "machines start",
  summary:
    "Start a durable machine, unless it was started before; its input is JSON from the argument, from standard input (-) or from a file (@FILE)",
  usage: "MACHINE ID [INPUT|-|@FILE]",
  args: { min: 2, max: 3 },
  flags: {},
  fields: ["connection", "namespace"],
  examples: [
    [`millrace machines start order o-17 '{"cents":1200}'`, "A node that hosts it begins"],
  ],
  async run({ args: [machine = "", id = "", source], config, io }) {
    const input = source === undefined ? undefined : parsePayload(await payloadText(source, io));
    await withClient(config, (client) =>
      onRecord(client, "start", { machine, id }, () =>
        client.machine(machine, id).start(input as never),
      ),
    );
    return {
      json: { machine, id },
      text: (paint) => `${paint("green", "sent")} the start of ${machine} ${id}\n`,
    };
  },
});

export const machinesSend = command({
  name: "machines send",
  summary:
    "Send a durable machine an event: its type alone, or JSON from the argument, from standard input (-) or from a file (@FILE)",
  usage: "MACHINE ID EVENT|-|@FILE",
  args: { min: 3, max: 3 },
  flags: {
    "event-id": {
      kind: { ...text, placeholder: "<id>" },
      about: "Event id; the same id sent twice counts once (default: a new UUID)",
    },
  },
  fields: ["connection", "namespace"],
  examples: [
    ["millrace machines send order o-17 APPROVE", "An event that has a type and no more"],
    [`millrace machines send order o-17 '{"type":"APPROVE","by":"ada"}'`, "With its fields"],
  ],
  async run({ args: [machine = "", id = "", given = ""], flags, config, io }) {
    const event = /^[A-Za-z0-9_.:]+$/.test(given)
      ? { type: given }
      : parsePayload(await payloadText(given, io));
    const eventId = flags["event-id"];
    await withClient(config, (client) =>
      onRecord(client, "send", { machine, id, ...typeOf(event) }, () =>
        client
          .machine(machine, id)
          .send(event as never, eventId === undefined ? {} : { id: eventId }),
      ),
    );
    const { type } = event as { readonly type: string };
    return {
      json: { machine, id, event: type },
      text: (paint) => `${paint("green", "sent")} ${clean(type)} to ${machine} ${id}\n`,
    };
  },
});

export const machinesStop = command({
  name: "machines stop",
  summary:
    "End a durable machine as it stands: it takes nothing any more. Asks first where there is a person to ask",
  usage: "MACHINE ID",
  args: { min: 2, max: 2 },
  flags: { yes: { kind: flag, about: ASKS_FIRST } },
  fields: ["connection", "namespace"],
  examples: [["millrace machines stop order o-17 --yes", "Without asking, as a script needs it"]],
  async run({ args: [machine = "", id = ""], flags, config, io }) {
    const question = `${clean(machine)} ${clean(id)} will take no event, timer or job's end any more. Stop it?`;
    if (!(await confirmed(io, flags.yes, question)))
      return {
        json: { stopped: false },
        text: () => "nothing was stopped\n",
        exitCode: EXIT.failed,
      };
    await withClient(config, (client) =>
      onRecord(client, "stop", { machine, id }, () => client.machine(machine, id).stop()),
    );
    return {
      json: { stopped: true },
      text: (paint) => `${paint("green", "sent")} the stop of ${machine} ${id}\n`,
    };
  },
});

export const machinesRemove = command({
  name: "machines remove",
  summary:
    "Forget a durable machine that has come to an end; its id may then be started anew. Asks first where there is a person to ask",
  usage: "MACHINE ID",
  args: { min: 2, max: 2 },
  flags: {
    force: {
      kind: flag,
      about:
        "Also one that goes on, or keeps events for others: its state, timers and kept events are lost",
    },
    yes: { kind: flag, about: ASKS_FIRST },
  },
  fields: ["connection", "namespace"],
  examples: [
    ["millrace machines remove order o-17 --yes", "Without asking"],
    ["millrace machines remove order o-17 --force", "A stuck machine; says first what is lost"],
  ],
  async run({ args: [machine = "", id = ""], flags, config, io }) {
    const force = flags.force === true;
    const seen =
      flags.yes === true ? undefined : await withClient(config, (one) => look(one, machine, id));
    if (seen?.isThere === false) return removal(machine, id, false);
    const lost = force ? (seen?.lost ?? "") : "";
    const question = `Nothing of ${clean(machine)} ${clean(id)} will be left.${lost} Forget it?`;
    if (!(await confirmed(io, flags.yes, question)))
      return {
        json: { removed: false },
        text: () => "nothing was removed\n",
        exitCode: EXIT.failed,
      };
    const removed = await withClient(config, (client) =>
      onRecord(
        client,
        "remove",
        { machine, id, ...(force ? { force } : {}) },
        () => client.machines.remove(machine, id, { force }),
        (done) => ({ count: done ? 1 : 0 }),
      ),
    );
    return removal(machine, id, removed);
  },
});

/** The same, whether somebody was asked or not. */
function removal(machine: string, id: string, removed: boolean) {
  return {
    json: { removed },
    text: () =>
      removed
        ? `forgot ${clean(machine)} ${clean(id)}\n`
        : "there is no such machine, or it changed at this very moment: try again\n",
    exitCode: removed ? EXIT.ok : EXIT.failed,
  };
}

/** A change of one machine, on record: which one, and no value of an input or an event. */
function onRecord<Result>(
  client: Millrace,
  does: "start" | "send" | "stop" | "remove",
  filter: AuditIntent["filter"],
  act: () => Promise<Result>,
  tally: (result: Result) => AuditTally = () => ({ count: 1 }),
): Promise<Result> {
  return audited(client, { action: `machines ${does}`, filter }, act, tally);
}

/** An event's type for the audit. One that has none is refused where it is sent. */
function typeOf(event: unknown): { readonly event?: string } {
  const type = (event as { readonly type?: unknown } | null)?.type;
  return typeof type === "string" ? { event: type.slice(0, 100) } : {};
}

/** Whether there is a machine, and what would go with it. */
async function look(
  client: Millrace,
  machine: string,
  id: string,
): Promise<{ readonly isThere: boolean; readonly lost: string }> {
  const documents = await client.broker.documents(MACHINES_BUCKET, { look: true });
  const ref = { machine: requireMachineName(machine), id: requireMachineId(id) };
  const { document, unreadable } = await findMachine(documents, ref);
  if (document !== undefined) return { isThere: true, lost: lostOf(document) };
  if (unreadable === undefined) return { isThere: false, lost: "" };
  return { isThere: true, lost: ` What is stored of it can't be read: ${clean(unreadable)}.` };
}

/** What goes with a machine that is forgotten as it stands. */
function lostOf({ status, value, timers, children, unsent }: MachineDocument): string {
  const events = unsent?.events.length ?? 0;
  if (status !== "active")
    return events === 0
      ? ""
      : ` It has ended (${status}), and ${events} events that it keeps for other machines are lost.`;
  const [firing, going] = [Object.keys(timers).length, Object.keys(children).length];
  return ` It is active (${clean(stateText(value))}): ${firing} timers will not fire, nobody will hear how ${going} of its jobs end, and ${events} events that it keeps for other machines are lost.`;
}
