// Allocates much, keeps little, and says how large the young generation became.
import { setImmediate as nextTurn } from "node:timers/promises";
import { getHeapSpaceStatistics } from "node:v8";
import { boundYoungGeneration } from "./bound-young-generation.ts";

const mostMb = Number(process.argv[2]);
if (mostMb > 0) boundYoungGeneration(mostMb);
let most = 0;
const kept: unknown[] = [];
for (let round = 0; round < 100; round += 1) {
  kept[round % 3] = Array.from({ length: 20_000 }, (_, n) => ({ id: `x${n}`, of: { n } }));
  await nextTurn();
  const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
  most = Math.max(most, space?.space_size ?? 0);
}
process.stdout.write(String(most / 2 ** 20));
