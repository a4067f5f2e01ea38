import type { FaultKind, Network } from "../broker/network.ts";
import type { Dice } from "../engine/dice.ts";
import { SimProcess } from "../engine/process.ts";
import { Timeline } from "../engine/timeline.ts";
import { FaultPlan, faultProfile } from "./fault-plan.ts";
import type { Realm, RealmOf, Tap } from "./realm.ts";

export interface CrewOptions {
  readonly dice: Dice;
  readonly realmOf: RealmOf;
  readonly tap: Partial<Tap>;
  /** No fault begins after this. */
  readonly faultsUntilMs: number;
  readonly leaseMs: number;
  /** Kinds of fault that may happen. Default: those that the seed throws. */
  readonly kinds?: ReadonlySet<FaultKind> | undefined;
}

const NOTHING = (): void => {};

/**
 * Processes of a few roles on one server, under a seed's faults. One that dies comes again in its
 * place, as by a supervisor.
 */
export class Crew<Role extends string> {
  readonly timeline = new Timeline();
  readonly faults: FaultPlan;
  readonly network: Network;
  readonly realm: Realm;
  readonly #places = new Map<SimProcess, Role>();
  readonly #leaseMs: number;
  readonly #dice: Dice;
  #serve: (role: Role, process: SimProcess) => Promise<void> = async () => {};
  #spawned = 0;

  constructor({ dice, realmOf, tap, faultsUntilMs, leaseMs, kinds }: CrewOptions) {
    const { timeline } = this;
    this.#dice = dice;
    this.#leaseMs = leaseMs;
    this.faults = new FaultPlan(dice, faultProfile(dice, faultsUntilMs, leaseMs));
    this.network = {
      passage: (point, process) =>
        this.faults.passage(point, timeline.nowMs, (kind) => {
          const isOfServer = !kind.startsWith("kill") && kind !== "stop" && kind !== "freeze";
          return (kinds?.has(kind) ?? true) && (this.#places.has(process) || isOfServer);
        }),
      strike: (kind, point, process) => this.#strike(kind, point, process),
    };
    const deaf = { recorded: NOTHING, buried: NOTHING, withdrawn: NOTHING, onQuarantine: NOTHING };
    this.realm = realmOf(timeline, this.network, { ...deaf, ...tap });
  }

  /** @param serve rejects where a process can't start; it is started again then */
  start(places: readonly Role[], serve: (role: Role, process: SimProcess) => Promise<void>): void {
    this.#serve = serve;
    for (const [at, role] of places.entries()) this.#spawn(`${role}-${at + 1}`, role);
  }

  end(): void {
    for (const process of this.#places.keys()) process.kill();
  }

  #spawn(place: string, role: Role): void {
    const process = new SimProcess(`${place}-${(this.#spawned += 1)}`, this.timeline);
    this.#places.set(process, role);
    this.#serve(role, process).catch(() => this.#kill(process, 2_000));
  }

  #kill(process: SimProcess, deadMs: number): void {
    const role = this.#places.get(process);
    process.kill();
    if (!this.#places.delete(process) || role === undefined) return;
    const place = process.name.slice(0, process.name.lastIndexOf("-"));
    this.timeline.plan(deadMs, () => this.#spawn(place, role));
  }

  #strike(kind: FaultKind, point: string, process: SimProcess): void {
    const length = (what: string, least: number, most: number): number =>
      this.faults.lengthMs(point, what, least, most);
    switch (kind) {
      case "kill-before":
      case "kill-after":
      case "stop":
        return this.#kill(process, length("dead", 200, 20_000));
      case "freeze":
        process.freeze();
        this.timeline.plan(length("frozen", 50, 3 * this.#leaseMs), () =>
          process.thaw(this.#dice(`network first ${point}`) < 0.5),
        );
        return;
      case "cut-before":
      case "cut-after":
        return this.realm.cut(process, length("cut", 50, 2 * this.#leaseMs));
      case "crash-before":
      case "crash-after":
        return this.realm.crash(length("forgets", 0, 2_000), length("down", 200, 8_000));
      case "elect":
        return this.realm.elect(length("elects", 300, 8_000));
      case "slow":
    }
  }
}
