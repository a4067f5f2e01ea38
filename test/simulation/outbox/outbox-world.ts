import type { Broker } from "@millrace/core";
import { FLAVOURS, type Flavour } from "../jetstream/flavour.ts";
import type { FaultKind } from "../broker/network.ts";
import { byDice, type Dice } from "../engine/dice.ts";
import { SimProcess } from "../engine/process.ts";
import { Crew } from "../world/crew.ts";
import type { Struck } from "../world/fault-plan.ts";
import { natsRealm } from "../world/nats-realm.ts";
import type { Realm } from "../world/realm.ts";
import { type ClaimFaults, Claims } from "./claims.ts";
import { ModelDatabase } from "./model-database.ts";
import { type Household, type Role, serve } from "./serve.ts";
import { writeOrders } from "./write-orders.ts";

export interface OutboxWorldOptions {
  readonly seed: number;
  readonly flavour?: Flavour;
  /** Kinds of fault that may happen. Default: those that the seed throws. */
  readonly kinds?: ReadonlySet<FaultKind>;
  /** The relays' brokers, with a fault. */
  readonly spoil?: (broker: Broker) => Broker;
  /** The relays' statements, with a fault. */
  readonly claimFaults?: ClaimFaults;
}

/** What became of a world with an outbox. */
export interface OutboxWorld {
  readonly database: ModelDatabase;
  readonly claims: Claims;
  /** Orders that were rolled back, or whose writer never came to the commit. */
  readonly written: ReadonlySet<number>;
  /** Message ids in the order in which they were stored. */
  readonly stored: readonly string[];
  /** Ids of jobs that have ended well. */
  readonly succeeded: ReadonlySet<string>;
  readonly struck: readonly Struck[];
  readonly isQuiet: boolean;
}

const LEASE_MS = 5_000;
const FAULTS_UNTIL_MS = 60_000;
const LIVENESS_MS = 10 * 60_000;
const LOOK_MS = 1_000;
const PLACES: readonly Role[] = ["relay", "relay", "node", "node"];
/** The shortest that servers take: only a mark tells. One that stores none needs its ids. */
const WINDOWS_MS = { marked: 100, unmarked: 600_000 } as const;

/** The real writer, relays and nodes, between a model of a database and one of a server. */
export function liveThroughOutbox(options: OutboxWorldOptions): Promise<OutboxWorld> {
  return byDice(options.seed, (dice) => live(options, dice));
}

async function live(options: OutboxWorldOptions, dice: Dice): Promise<OutboxWorld> {
  const { flavour = FLAVOURS["2.15"], kinds, claimFaults, spoil = (broker) => broker } = options;
  const stored: string[] = [];
  const succeeded = new Set<string>();
  const crew = new Crew<Role>({
    ...{ dice, kinds, faultsUntilMs: FAULTS_UNTIL_MS, leaseMs: LEASE_MS },
    realmOf: natsRealm(flavour),
    tap: {
      recorded: ({ id, state }) => void (state === "succeeded" && succeeded.add(id)),
      stored: (id) => void stored.push(id),
    },
  });
  const { timeline, network, realm, faults } = crew;
  const database = new ModelDatabase(() => timeline.nowMs);
  const claims = new Claims(database, claimFaults);
  const windowMs = flavour.atomicBatches ? WINDOWS_MS.marked : WINDOWS_MS.unmarked;
  const household: Household = {
    ...{ timeline, network, realm, database, claims, dice, spoil, windowMs, leaseMs: LEASE_MS },
  };
  crew.start(PLACES, (role, process) => serve(role, process, household));
  const writer = new SimProcess("writer", timeline);
  let written: ReadonlySet<number> | undefined;
  void writeOrders(writer, household).then((all) => (written = all));
  await timeline.run(FAULTS_UNTIL_MS);
  const isQuiet = (): boolean =>
    written !== undefined && database.rows.size === 0 && jobsLeft(realm) === 0;
  for (let waited = 0; waited < LIVENESS_MS && !isQuiet(); waited += LOOK_MS)
    await timeline.run(LOOK_MS);
  // Whatever comes late comes after so many leases.
  await timeline.run(3 * LEASE_MS);
  const quiet = isQuiet();
  crew.end();
  writer.kill();
  return {
    ...{ database, claims, stored, succeeded, struck: faults.struck, isQuiet: quiet },
    written: written ?? new Set(),
  };
}

/** Marks lie in the queues for good. */
function jobsLeft(realm: Realm): number {
  return realm.leftovers().filter(({ detail }) => !detail.includes(".mark.")).length;
}
