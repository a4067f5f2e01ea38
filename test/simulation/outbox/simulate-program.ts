// `pnpm simulate --outbox`: worlds with an outbox, one a seed, each judged by an oracle.
import { FLAVOURS } from "../jetstream/flavour.ts";
import { simpleArguments } from "../world/simple-arguments.ts";
import { judgeOutbox } from "./judge-outbox.ts";

const { server, seeds } = simpleArguments(
  "outbox",
  `pnpm simulate --outbox [options]: the real writer, relays and nodes in simulated worlds.

  --seeds N    so many seeds (default 100)
  --from N     the first seed (default 1)
  --seed N     this one alone
  --server S   2.15, which stores marks (default), or 2.10, which tells by ids
  --help       this

Exit codes: 0 nothing found, 1 a promise was broken, 2 bad usage.`,
);

const sum = { faults: 0, committed: 0, undone: 0, violations: 0 };
for (const seed of seeds) {
  const { world, found } = await judgeOutbox({ seed, flavour: FLAVOURS[server] });
  for (const { is, order, detail } of found)
    console.log(`seed ${seed}: ${is}, order ${order ?? "-"}: ${detail}`);
  sum.faults += world.struck.length;
  sum.committed += world.database.orders.size;
  sum.undone += world.written.size - world.database.orders.size;
  sum.violations += found.length;
}
console.log(
  `${seeds.length} worlds on ${server}: ${sum.faults} faults, ${sum.committed} orders committed, ` +
    `${sum.undone} rolled back, ${sum.violations} violations`,
);
process.exit(sum.violations === 0 ? 0 : 1);
