// Makes much, keeps it for a moment, and says how large the heap became once it had settled: at
// first V8 does not know yet how fast its collector is.
import { setImmediate as nextTurn } from "node:timers/promises";
import { boundYoungGeneration } from "./bound-young-generation.ts";
import { growSlowly } from "./grow-slowly.ts";

const ROUNDS = 900;

boundYoungGeneration(32);
if (process.argv[2] === "slowly") growSlowly();
let most = 0;
const kept: unknown[] = [];
for (let round = 0; round < ROUNDS; round += 1) {
  kept[round % 12] = Array.from({ length: 10_000 }, (_, n) => ({ id: `x${n}`, of: { n } }));
  await nextTurn();
  if (round > ROUNDS / 2) most = Math.max(most, process.memoryUsage().heapTotal);
}
process.stdout.write(String(most / 2 ** 20));
