// `pnpm simulate --outbox`: worlds with an outbox, one a seed, each judged by an oracle.
import { parseArgs } from "node:util";
import { FLAVOURS } from "../jetstream/flavour.ts";
import { judgeOutbox } from "./judge-outbox.ts";

const USAGE = `pnpm simulate --outbox [options]: the real writer, relays and nodes in simulated worlds.

  --seeds N    so many seeds (default 100)
  --from N     the first seed (default 1)
  --seed N     this one alone
  --server S   2.15, which stores marks (default), or 2.10, which tells by ids
  --help       this

Exit codes: 0 nothing found, 1 a promise was broken, 2 bad usage.`;

const { values } = parseArgs({
  options: {
    outbox: { type: "boolean" },
    seeds: { type: "string", default: "100" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    server: { type: "string", default: "2.15" },
    help: { type: "boolean", default: false },
  },
});
const { server } = values;
const from = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
if (!(server === "2.15" || server === "2.10") || !Number.isSafeInteger(from) || !(count > 0)) {
  console.error(USAGE);
  process.exit(2);
}

const sum = { faults: 0, committed: 0, undone: 0, violations: 0 };
for (let seed = from; seed < from + count; seed += 1) {
  const { world, found } = await judgeOutbox({ seed, flavour: FLAVOURS[server] });
  for (const { is, order, detail } of found)
    console.log(`seed ${seed}: ${is}, order ${order ?? "-"}: ${detail}`);
  sum.faults += world.struck.length;
  sum.committed += world.database.orders.size;
  sum.undone += world.written.size - world.database.orders.size;
  sum.violations += found.length;
}
console.log(
  `${count} worlds on ${server}: ${sum.faults} faults, ${sum.committed} orders committed, ` +
    `${sum.undone} rolled back, ${sum.violations} violations`,
);
process.exit(sum.violations === 0 ? 0 : 1);
