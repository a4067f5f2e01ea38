import { type Broker, readMachine } from "@millrace/core";
import type { FaultKind } from "../broker/network.ts";
import { byDice, type Dice } from "../engine/dice.ts";
import { SimProcess } from "../engine/process.ts";
import { type Flavour, FLAVOURS } from "../jetstream/flavour.ts";
import { Crew } from "../world/crew.ts";
import type { Struck } from "../world/fault-plan.ts";
import { natsRealm } from "../world/nats-realm.ts";
import type { Leftover } from "../world/realm.ts";
import { customers } from "./customers.ts";
import { type MachineEvidence, noEvidence } from "./evidence.ts";
import { serve } from "./serve.ts";

export interface MachinesWorldOptions {
  readonly seed: number;
  readonly flavour?: Flavour;
  /** Kinds of fault that may happen. Default: those that the seed throws. */
  readonly kinds?: ReadonlySet<FaultKind>;
  /** The hosts' brokers, with a fault. */
  readonly spoil?: (broker: Broker) => Broker;
}

/** What became of a world with durable machines. */
export interface MachinesWorld {
  readonly evidence: MachineEvidence;
  readonly struck: readonly Struck[];
  /** Events, timers and jobs that nobody has taken. */
  readonly leftovers: readonly Leftover[];
  /** Whether the customers have done all that they meant to. */
  readonly isOver: boolean;
}

const LEASE_MS = 5_000;
const FAULTS_UNTIL_MS = 60_000;
const LIVENESS_MS = 15 * 60_000;
const LOOK_MS = 1_000;
const HOSTS = ["host", "host"] as const;

/** Real hosts and customers of durable machines, on a model of a server. */
export function liveThroughMachines(options: MachinesWorldOptions): Promise<MachinesWorld> {
  return byDice(options.seed, (dice) => live(options, dice));
}

async function live(options: MachinesWorldOptions, dice: Dice): Promise<MachinesWorld> {
  const { flavour = FLAVOURS["2.15"], kinds, spoil = (broker) => broker } = options;
  const evidence = noEvidence();
  const crew = new Crew<"host">({
    ...{ dice, kinds, faultsUntilMs: FAULTS_UNTIL_MS, leaseMs: LEASE_MS },
    realmOf: natsRealm(flavour),
    tap: {
      recorded: ({ id, state }) => void (state !== "requeued" && evidence.ends.set(id, state)),
      stored: (id) => void evidence.stored.push(id),
      kept: (key, value) => {
        const document = readMachine(value);
        if (document === undefined) return;
        evidence.documents.set(key, [...(evidence.documents.get(key) ?? []), document]);
      },
    },
  });
  const { timeline, realm, faults } = crew;
  crew.start(HOSTS, (_role, process) =>
    serve(process, { realm, dice, evidence, spoil, leaseMs: LEASE_MS }),
  );
  const process = new SimProcess("customers", timeline);
  let isOver = false;
  void customers({ process, realm, dice, evidence }).then(() => (isOver = true));
  await timeline.run(FAULTS_UNTIL_MS);
  const isQuiet = (): boolean => isOver && realm.leftovers().length === 0;
  for (let waited = 0; waited < LIVENESS_MS && !isQuiet(); waited += LOOK_MS)
    await timeline.run(LOOK_MS);
  // Whatever comes late comes after so many leases.
  await timeline.run(3 * LEASE_MS);
  const leftovers = realm.leftovers();
  crew.end();
  process.kill();
  return { evidence, struck: faults.struck, leftovers, isOver };
}
