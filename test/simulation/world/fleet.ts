import { type Broker, defineSchedule, type Schedule } from "@millrace/core";
import { createNode, type MillraceNode } from "@millrace/runtime";
import { type Dice, rowOf } from "../engine/dice.ts";
import { SimProcess } from "../engine/process.ts";
import type { Timeline } from "../engine/timeline.ts";
import { type HandlerKinds, handlersOf, JOBS, type Outside } from "./jobs.ts";
import type { Timetable } from "./orders.ts";
import type { Realm } from "./realm.ts";
import type { Setting } from "./workload.ts";

interface Life {
  readonly process: SimProcess;
  readonly node: MillraceNode;
  state: "serving" | "stopping";
}

export interface FleetOptions {
  readonly timeline: Timeline;
  readonly realm: Realm;
  readonly dice: Dice;
  readonly setting: Setting;
  readonly timetables: readonly Timetable[];
  readonly kinds: HandlerKinds;
  readonly outside: Outside;
}

const GRACE = "5s";

/**
 * The nodes of a world. A place that lost its node has another some seconds later, in a new process
 * under a new name.
 */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #lives = new Map<number, Life>();
  readonly #schedules: readonly Schedule[];

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#schedules = options.timetables.map(scheduleOf);
  }

  start(): void {
    for (let place = 0; place < this.#options.setting.nodes; place += 1) this.#spawn(place, 1);
  }

  get processes(): readonly SimProcess[] {
    return [...this.#lives.values()].map(({ process }) => process);
  }

  /** Jobs that nodes which live have in their slots. */
  get running(): readonly string[] {
    return [...this.#lives.values()].flatMap(({ process, node }) =>
      node.running.map(({ id }) => `${id} on ${process.name}`),
    );
  }

  has(process: SimProcess): boolean {
    return this.#placeOf(process) !== undefined;
  }

  kill(process: SimProcess, deadMs: number): void {
    const place = this.#placeOf(process);
    process.kill();
    if (place === undefined) return;
    this.#lives.delete(place);
    this.#spawnLater(process, place, deadMs);
  }

  /** As by SIGTERM: the node ends by itself, and then its process. */
  stop(process: SimProcess, deadMs: number): void {
    const place = this.#placeOf(process);
    const life = place === undefined ? undefined : this.#lives.get(place);
    if (place === undefined || life === undefined || life.state === "stopping") return;
    life.state = "stopping";
    const ended = (): void => {
      if (process.isDead) return;
      this.#options.outside.ledger.note({ is: "gone", process: process.name, how: "stopped" });
      this.kill(process, deadMs);
    };
    process.receive(() => void life.node.stop().then(ended, ended));
  }

  #placeOf(process: SimProcess): number | undefined {
    for (const [place, life] of this.#lives) if (life.process === process) return place;
    return undefined;
  }

  #spawnLater(process: SimProcess, place: number, deadMs: number): void {
    const life = Number(process.name.split("-")[1]) + 1;
    this.#options.timeline.plan(deadMs, () => this.#spawn(place, life));
  }

  #spawn(place: number, life: number): void {
    const { timeline, realm } = this.#options;
    const process = new SimProcess(`n${place + 1}-${life}`, timeline);
    const broker = realm.brokerFor(process);
    if (!(broker instanceof Promise)) return this.#serve(process, place, broker);
    broker.then(
      (connected) => this.#serve(process, place, connected),
      // It found no server, and is started again as by any supervisor.
      () => {
        process.kill();
        this.#spawnLater(process, place, 2_000);
      },
    );
  }

  #serve(process: SimProcess, place: number, broker: Broker): void {
    const { dice, setting, outside, kinds } = this.#options;
    const { leaseMs, slots, room } = setting;
    const node = createNode(
      {
        name: process.name,
        broker,
        jobs: handlersOf(process, outside, kinds),
        schedules: this.#schedules,
        clock: process.clock,
        random: rowOf(dice, `random of ${process.name}`),
        slots,
        grace: GRACE,
        lease: leaseMs,
        queues: { narrow: { settings: { maxJobs: room } } },
      },
      { newId: idsOf(process.name) },
    );
    this.#lives.set(place, { process, node, state: "serving" });
    node.start().catch(() => {
      // A node that could not start ends its process, and is started again as by any supervisor.
      if (!process.isDead) this.kill(process, 2_000);
    });
  }
}

function scheduleOf({ name, everySeconds, missed, overlap, runMs }: Timetable): Schedule {
  return defineSchedule({
    ...{ name, missed, overlap, job: JOBS.tick },
    cron: `*/${everySeconds} * * * * *`,
    input: { fails: 0, snoozes: 0, runMs, deaf: false, charges: false, key: "none" },
  });
}

function idsOf(name: string): () => string {
  let count = 0;
  return () => `${name}-made-${(count += 1)}`;
}
