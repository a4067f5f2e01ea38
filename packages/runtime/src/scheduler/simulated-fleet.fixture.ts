import {
  type Clock,
  defineJob,
  defineSchedule,
  type Events,
  readScheduleState,
  SCHEDULE_STATE,
  type ScheduleState,
  type ScheduleTiming,
} from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/core/testing";
import { onTestFinished } from "vitest";
import { createNode, type MillraceNode } from "../node/node.ts";
import { stopInTime } from "../fixtures/simulated-node.ts";

const QUEUE = "reports";
const HEADER = "schedule-slot";

export interface FleetNode {
  readonly node: MillraceNode;
  readonly broker: MemoryBroker;
  readonly clock: Clock & { jump(ms: number): void };
  /** `fired 00:01:00`, `skipped 00:01:00 missed 3`, `late 00:01:00 9s`, `leading` … */
  readonly said: readonly string[];
}

export interface FleetNodeOptions {
  /** How far its clock is off. */
  readonly offsetMs?: number;
  /** The schedules of its code: of the one that all tests use, the fields that differ. */
  readonly schedules?: readonly Partial<ScheduleTiming>[];
  /** Replaces the broker that the node is given. */
  readonly decorate?: (broker: MemoryBroker) => MemoryBroker;
  readonly handler?: (id: string) => unknown;
  readonly start?: boolean;
}

/** Several nodes on one server, each with a clock of its own, in a time that only moves when told. It begins at 2030-01-01T00:00:00Z. */
export class SimulatedFleet {
  readonly clock: SimulatedClock;
  readonly server: MemoryServer;
  /** The slots of the jobs that ran, in their order: `00:01:00`. */
  readonly ran: string[] = [];

  constructor(startMs?: number) {
    this.clock = new SimulatedClock(startMs);
    this.server = new MemoryServer(this.clock);
  }

  async node(name: string, options: FleetNodeOptions = {}): Promise<FleetNode> {
    const clock = offsetClock(this.clock, options.offsetMs ?? 0);
    const broker = new MemoryBroker({ clock, server: this.server });
    const job = defineJob({ name: "report", queue: QUEUE, retry: "none" });
    const node = createNode({
      name,
      broker: options.decorate?.(broker) ?? broker,
      clock,
      jobs: [
        job.handler(({ job: { id, headers } }) => {
          this.ran.push(timeOf(Date.parse(headers[HEADER] ?? "")));
          return options.handler?.(id);
        }),
      ],
      schedules: (options.schedules ?? [{}]).map((fields) =>
        defineSchedule({ name: "it", cron: "* * * * *", ...fields, job, input: { a: 1 } }),
      ),
    });
    onTestFinished(() => stopInTime(node, this.clock));
    const made = { node, broker, clock, said: listen(node) };
    if (options.start ?? true) await node.start();
    await this.clock.advance(0);
    return made;
  }

  state(name = "it"): ScheduleState {
    return readScheduleState(this.server.bucket(SCHEDULE_STATE).get(name)?.value);
  }

  /** As an operator writes it. */
  writeState(change: (state: ScheduleState) => ScheduleState, name = "it"): void {
    const bucket = this.server.bucket(SCHEDULE_STATE);
    bucket.put(name, change(this.state(name)), undefined);
  }
}

export function timeOf(ms: number): string {
  return Number.isNaN(ms) ? "no slot" : new Date(ms).toISOString().slice(11, 19);
}

function offsetClock(clock: SimulatedClock, offsetMs: number): FleetNode["clock"] {
  let offset = offsetMs;
  return {
    now: () => clock.now() + offset,
    monotonic: () => clock.monotonic(),
    setTimer: (delayMs, fire) => clock.setTimer(delayMs, fire),
    jump: (ms) => void (offset += ms),
  };
}

function listen({ events }: MillraceNode): readonly string[] {
  const said: string[] = [];
  const note = <Name extends keyof Events>(
    name: Name,
    tell: (event: Events[Name]) => string,
  ): void => void events.on(name, (event) => void said.push(tell(event)));
  note("schedule.fired", ({ slot }) => `fired ${timeOf(slot)}`);
  note("schedule.late", ({ slot, lateMs }) => `late ${timeOf(slot)} ${lateMs / 1_000}s`);
  note(
    "schedule.skipped",
    ({ upTo, reason, count }) => `skipped ${timeOf(upTo)} ${reason} ${count}`,
  );
  note("schedule.failed", ({ error }) => `failed ${error.type}`);
  note("scheduler.leader", ({ leading }) => (leading ? "leading" : "resigned"));
  return said;
}
