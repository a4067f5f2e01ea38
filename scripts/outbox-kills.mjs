// `pnpm outbox:kills`: relays, a node, the database and the server of an outbox are killed at every
// point, and an oracle in the database judges. `--help` says more.
import "./node-version.mjs";
import { readOptions } from "./read-options.mjs";
const { install, runNode } = await import("./install.mjs");

const USAGE = `pnpm outbox:kills [--kills 200] [--seed N] [--server newest|2.11|2.10]

Relays, a node, the database and the server of an outbox are killed at every point, and an oracle in the database judges. The same seed
chooses the same order. Exit code 1 when a promise was broken.`;

const values = readOptions("outbox:kills", USAGE, {
  kills: { type: "string", default: "200" },
  seed: { type: "string" },
  server: { type: "string", default: "newest" },
});
if (!(Number.isSafeInteger(Number(values.kills)) && Number(values.kills) > 0)) {
  console.error(`outbox:kills: --kills must be a whole number above 0; got ${values.kills}.`);
  process.exit(2);
}
await install();
process.exit(
  await runNode(
    ["node_modules/vitest/vitest.mjs", "run", "--reporter=verbose", "test/outbox/kills.test.ts"],
    {
      MILLRACE_OUTBOX_KILLS: values.kills,
      MILLRACE_OUTBOX_KILLS_SERVER: values.server,
      ...(values.seed === undefined ? {} : { MILLRACE_OUTBOX_KILLS_SEED: values.seed }),
    },
  ),
);
