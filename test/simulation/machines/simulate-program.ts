// `pnpm simulate --machines`: worlds with durable machines, one a seed, each judged by an oracle.
import { FLAVOURS } from "../jetstream/flavour.ts";
import { simpleArguments } from "../world/simple-arguments.ts";
import { judgeMachines } from "./judge-machines.ts";

const { server, seeds } = simpleArguments(
  "machines",
  `pnpm simulate --machines [options]: real hosts of durable machines in simulated worlds.

  --seeds N    so many seeds (default 100)
  --from N     the first seed (default 1)
  --seed N     this one alone
  --server S   2.15, which schedules timers (default), or 2.10, whose hosts give them back
  --help       this

Exit codes: 0 nothing found, 1 a promise was broken, 2 bad usage.`,
);

const sum = { faults: 0, machines: 0, transitions: 0, violations: 0 };
for (const seed of seeds) {
  const { world, found } = await judgeMachines({ seed, flavour: FLAVOURS[server] });
  for (const { is, machine, detail } of found)
    console.log(`seed ${seed}: ${is}, machine ${machine ?? "-"}: ${detail}`);
  sum.faults += world.struck.length;
  sum.machines += world.evidence.documents.size;
  for (const documents of world.evidence.documents.values()) sum.transitions += documents.length;
  sum.violations += found.length;
}
console.log(
  `${seeds.length} worlds on ${server}: ${sum.faults} faults, ${sum.machines} machines, ` +
    `${sum.transitions} transitions, ${sum.violations} violations`,
);
process.exit(sum.violations === 0 ? 0 : 1);
