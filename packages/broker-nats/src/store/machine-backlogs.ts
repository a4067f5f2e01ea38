import type { MachineBacklog } from "@millrace/core";
import type { JetStreamManager, StreamInfo } from "@nats-io/jetstream";
import { orWithoutStream, request } from "../jetstream-errors.ts";
import { machineConsumer } from "../topology/consumer-names.ts";
import type { InboxDoor } from "../topology/inbox-doors.ts";
import type { Names } from "../topology/subjects.ts";
import { nextMessage } from "../reads/next-message.ts";

const MACHINE = machineConsumer("");

/**
 * What waits for machines, by their name: what their hosts' consumers count, and what lies on
 * subjects of machines that no node has ever hosted. A consumer of timers counts those that are
 * due; on a server without schedules it would count all, so it is not asked there.
 */
export function machineBacklogs(
  jsm: JetStreamManager,
  names: Names,
): Promise<readonly MachineBacklog[]> {
  return request("look at what waits for machines", async () => {
    const inbox = await infoOf(jsm, names.inboxStream);
    if (inbox === undefined) return [];
    const timers = await infoOf(jsm, names.timerStream);
    const waiting = await hosted(jsm, names.inboxStream);
    const known = sum(waiting);
    const isHosted = new Set(waiting.keys());
    if (timers?.config.allow_msg_schedules === true)
      for (const [machine, count] of await hosted(jsm, names.timerStream))
        add(waiting, machine, count);
    if (inbox.state.messages > known)
      for (const [machine, count] of await unhosted(jsm, names, isHosted))
        add(waiting, machine, count);
    const now = Date.parse(inbox.ts ?? "");
    const backlogs: MachineBacklog[] = [];
    for (const [machine, count] of waiting) {
      if (count === 0) continue;
      const oldest = await oldestOf(jsm, names, machine);
      if (oldest === undefined) continue;
      const oldestAgeMs = Number.isNaN(now) ? 0 : Math.max(0, now - oldest);
      backlogs.push({ machine, waiting: count, oldestAgeMs });
    }
    return backlogs.toSorted((a, b) => (a.machine < b.machine ? -1 : 1));
  });
}

function infoOf(jsm: JetStreamManager, stream: string): Promise<StreamInfo | undefined> {
  return orWithoutStream<StreamInfo | undefined>(undefined, () => jsm.streams.info(stream));
}

async function hosted(jsm: JetStreamManager, stream: string): Promise<Map<string, number>> {
  const waiting = new Map<string, number>();
  for await (const { name, num_pending: left, num_ack_pending: taken } of jsm.consumers.list(
    stream,
  ))
    if (name.startsWith(MACHINE)) waiting.set(name.slice(MACHINE.length), left + taken);
  return waiting;
}

async function unhosted(
  jsm: JetStreamManager,
  names: Names,
  isHosted: ReadonlySet<string>,
): Promise<Map<string, number>> {
  const { state } = await jsm.streams.info(names.inboxStream, { subjects_filter: ">" });
  const waiting = new Map<string, number>();
  for (const [subject, count] of Object.entries(state.subjects ?? {})) {
    const to = names.readToMachine(subject);
    if (to !== undefined && !isHosted.has(to.machine)) add(waiting, to.machine, count);
  }
  return waiting;
}

/** Messages that were given back until their time are not looked at. */
const DOORS: readonly (readonly [InboxDoor, "inboxStream" | "timerStream"])[] = [
  ["inbox", "inboxStream"],
  ["mend", "inboxStream"],
  ["mtick", "timerStream"],
];

/** When the oldest was stored, epoch milliseconds of the server's clock. */
async function oldestOf(
  jsm: JetStreamManager,
  names: Names,
  machine: string,
): Promise<number | undefined> {
  const found = await Promise.all(
    DOORS.map(([door, stream]) =>
      nextMessage(jsm, names[stream], 1, names.toMachine(door, { machine, id: "*" })),
    ),
  );
  const times = found.filter((one) => one !== undefined).map(({ time }) => time.getTime());
  return times.length === 0 ? undefined : Math.min(...times);
}

function add(waiting: Map<string, number>, machine: string, count: number): void {
  waiting.set(machine, (waiting.get(machine) ?? 0) + count);
}

function sum(waiting: ReadonlyMap<string, number>): number {
  return [...waiting.values()].reduce((total, count) => total + count, 0);
}
