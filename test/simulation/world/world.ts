import type { DeadLetter } from "@millrace/core";
import type { FaultKind, Network } from "../broker/network.ts";
import { byDice, type Dice } from "../engine/dice.ts";
import type { SimProcess } from "../engine/process.ts";
import { Timeline } from "../engine/timeline.ts";
import { FaultPlan, faultProfile, type Struck } from "./fault-plan.ts";
import { Fleet } from "./fleet.ts";
import { type Entry, Ledger } from "./ledger.ts";
import { lifeOfLetter, madeOfLetter } from "./letter-life.ts";
import { Operator } from "./operator.ts";
import { LONGEST_OUTAGE_MS, outageMs, withOutages } from "./outages.ts";
import { portRealm } from "./port-realm.ts";
import { ProducerProcess } from "./producer.ts";
import type { Leftover, Realm, RealmOf } from "./realm.ts";
import { withWaits } from "./signaller.ts";
import { Silences } from "./silences.ts";
import { type Setting, settingOf } from "./workload.ts";

export interface WorldOptions {
  readonly seed: number;
  /** What nodes and producers stand on. Default: a server at the level of the broker port. */
  readonly realm?: RealmOf;
  /** Plans and orders that are carried out, by name. Default: all of the seed's. */
  readonly plans?: ReadonlySet<string>;
  /** Faults that may happen, by name. Default: all of the seed's. */
  readonly faults?: ReadonlySet<string>;
  /** Kinds of fault that may happen. Default: those that the seed throws. */
  readonly kinds?: ReadonlySet<FaultKind>;
  /** Whether each end of most jobs is told to another job. Default: none is. */
  readonly tells?: boolean;
  /** Whether the jobs that wait for no other have steps. Default: none has. */
  readonly steps?: boolean;
  /** Whether faults may outlast a queue's memory of ids. Default: none does. */
  readonly outages?: boolean;
}

/** What became of a world. */
export interface World {
  readonly ledger: Ledger;
  readonly setting: Setting;
  /** Names of the plans and orders that were carried out. */
  readonly plans: readonly string[];
  readonly struck: readonly Struck[];
  readonly leftovers: readonly Leftover[];
  /** In slots of nodes that live. */
  readonly running: readonly string[];
  readonly simulatedMs: number;
  readonly events: number;
}

/**
 * After the last fault everything has so long to end: what is retried, snoozed and leased several
 * times over.
 */
const LIVENESS_MS = 15 * 60_000;
/**
 * When nothing is left to do: whatever was late and comes all the same has come after so many
 * leases.
 */
const LEASES_AFTERWARDS = 3;
const LOOK_MS = 1_000;

/** Lives through a seed's world, from its first job to the time at which all must have ended. */
export function liveThrough(options: WorldOptions): Promise<World> {
  return byDice(options.seed, (dice) => live(options, dice));
}

async function live(
  { realm: realmOf = portRealm(), ...options }: WorldOptions,
  dice: Dice,
): Promise<World> {
  const setting = options.outages === true ? withOutages(settingOf(dice), dice) : settingOf(dice);
  const isWanted = ({ name }: { readonly name: string }): boolean =>
    options.plans?.has(name) ?? true;
  // What is told of two jobs of one id has one id: in such a world no id is used twice.
  const plans = setting.plans
    .filter(isWanted)
    .map(({ again, ...plan }) =>
      again === undefined || options.tells === true ? plan : { ...plan, again },
    )
    .map((plan) => (options.steps === true ? withWaits(plan, dice) : plan));
  const orders = setting.orders.filter(isWanted);
  const timeline = new Timeline();
  const ledger = new Ledger(() => timeline.nowMs);
  const faults = new FaultPlan(
    dice,
    faultProfile(dice, setting.faultsUntilMs, setting.leaseMs),
    options.faults,
  );
  const mayBe = (kind: FaultKind): boolean => options.kinds?.has(kind) ?? true;
  const silences = new Silences();
  const network: Network = {
    passage: (point, process) =>
      faults.passage(
        point,
        timeline.nowMs,
        (kind) => mayBe(kind) && mayStrike(kind, process, fleet),
      ),
    strike: (kind, point, process) => strike(kind, point, process),
    heard: ({ name: process }, point) => {
      const sinceMs = silences.heard(process, point, timeline.nowMs);
      if (sinceMs !== undefined) ledger.note({ is: "silent", process, sinceMs });
    },
  };
  const realm = realmOf(timeline, network, {
    recorded: (record) => ledger.note({ is: "recorded", record }),
    buried: (letter) => ledger.note({ is: "buried", letter: seenOf(letter) }),
    withdrawn: (letter) => ledger.note({ is: "withdrawn", letter: seenOf(letter) }),
    stored: (id) => ledger.note({ is: "stored", job: id }),
    forgotten: ({ id, queue }) => ledger.note({ is: "forgotten", job: id, queue }),
    onQuarantine: (key, value) => {
      const { node: process } = value as { readonly node: string };
      ledger.note({ is: "quarantined", job: key.replace(".", "/"), process });
    },
  });
  const outside = {
    ledger,
    charged: new Set<string>(),
    poke: (process: SimProcess, point: string): void => {
      const { fault } = faults.passage(
        point,
        timeline.nowMs,
        (kind) => mayBe(kind) && HANDLER_FAULTS.has(kind) && fleet.has(process),
      );
      if (fault !== undefined) strike(fault, point, process);
    },
  };
  const timetables = orders.filter((order) => order.kind === "schedule");
  const renews = orders.some(({ kind }) => kind === "renew");
  const kinds = { renews, tells: options.tells === true, steps: options.steps === true };
  const fleet = new Fleet({ timeline, realm, dice, setting, timetables, kinds, outside });

  function strike(kind: FaultKind, point: string, process: SimProcess): void {
    ledger.note({ is: "fault", name: point, kind, process: process.name });
    const length = (what: string, least: number, most: number): number =>
      faults.lengthMs(point, what, least, most);
    const orLonger = (what: string, least: number, most: number): number =>
      (options.outages === true ? outageMs(dice, point) : undefined) ?? length(what, least, most);
    switch (kind) {
      case "kill-before":
      case "kill-after":
        ledger.note({ is: "gone", process: process.name, how: "killed" });
        return fleet.kill(process, orLonger("dead", 200, 20_000));
      case "stop":
        return fleet.stop(process, length("dead", 200, 5_000));
      case "freeze":
        return freeze(process, length("frozen", 50, 3 * setting.leaseMs), point);
      case "cut-before":
      case "cut-after":
        return realm.cut(process, orLonger("cut", 50, 2 * setting.leaseMs));
      case "crash-before":
      case "crash-after":
        return realm.crash(length("forgets", 0, 2_000), orLonger("down", 200, 8_000));
      case "elect":
        return realm.elect(orLonger("elects", 300, 8_000));
      case "slow":
    }
  }

  function freeze(process: SimProcess, forMs: number, point: string): void {
    ledger.note({ is: "gone", process: process.name, how: "frozen" });
    process.freeze();
    timeline.plan(forMs, () => {
      if (process.isDead) return;
      ledger.note({ is: "thawed", process: process.name });
      process.thaw(dice(`network first ${point}`) < 0.5);
    });
  }

  const producer = new ProducerProcess({ timeline, realm, ledger, dice });
  const operator = new Operator({ timeline, realm, ledger, orders });
  if (operator.preparation === undefined) fleet.start();
  else void operator.preparation().then(() => fleet.start());
  let planned = false;
  void Promise.all([producer.carryOut(plans), operator.carryOut()]).then(() => (planned = true));
  await timeline.run(setting.faultsUntilMs);
  // The last one may have begun a moment ago.
  if (options.outages === true) await timeline.run(LONGEST_OUTAGE_MS);
  ledger.note({ is: "healed" });
  const quiet = (): boolean =>
    planned && realm.leftovers().length === 0 && fleet.running.length === 0;
  const longestMs = LIVENESS_MS + Math.max(0, ...plans.map(({ delayMs }) => delayMs));
  for (let waited = 0; waited < longestMs && !quiet(); waited += LOOK_MS)
    await timeline.run(LOOK_MS);
  await timeline.run(LEASES_AFTERWARDS * setting.leaseMs);
  const leftovers = await lastingLeftovers(realm, timeline);
  for (const silence of silences.lasting(timeline.nowMs)) ledger.note({ is: "silent", ...silence });
  for (const { what, detail } of leftovers) ledger.note({ is: "left", what, detail });
  const result = {
    ledger,
    setting,
    plans: [...plans, ...orders].map(({ name }) => name),
    struck: faults.struck,
    leftovers,
    running: fleet.running,
    simulatedMs: timeline.nowMs,
    events: timeline.fired,
  };
  for (const process of [...fleet.processes, producer.process, operator.process]) process.kill();
  return result;
}

/**
 * What is there at the last look and goes by itself was passing: a sweep holds its lock meanwhile.
 */
async function lastingLeftovers(realm: Realm, timeline: Timeline): Promise<readonly Leftover[]> {
  const first = realm.leftovers();
  if (first.length === 0) return first;
  await timeline.run(LOOK_MS);
  const still = new Set(realm.leftovers().map(({ what, detail }) => `${what} ${detail}`));
  return first.filter(({ what, detail }) => still.has(`${what} ${detail}`));
}

function seenOf(letter: DeadLetter): Extract<Entry, { is: "buried" | "withdrawn" }>["letter"] {
  const { id, queue, reason } = letter;
  return { id, queue, reason, life: lifeOfLetter(letter), ...madeOfLetter(letter) };
}

const HANDLER_FAULTS: ReadonlySet<FaultKind> = new Set([
  "kill-before",
  "stop",
  "freeze",
  "crash-before",
]);
const LINE_FAULTS: ReadonlySet<FaultKind> = new Set([
  "cut-before",
  "cut-after",
  "slow",
  "crash-before",
  "crash-after",
  "elect",
]);

/** Producers are never killed or frozen: what they know is what the world is judged by. */
function mayStrike(kind: FaultKind, process: SimProcess, fleet: Fleet): boolean {
  return fleet.has(process) || LINE_FAULTS.has(kind);
}
