import { writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { obtainServer } from "@millrace/nats-server";
import { Arena } from "./arena.ts";
import { holds } from "./claims.ts";
import { DIMENSIONS } from "./dimensions.ts";
import { type Dimension, type Measured, type RoundFigures, smokeOf } from "./level.ts";
import { usageMissing } from "./process-usage.ts";
import { renderDimension, type Scaling } from "./render.ts";

// `pnpm bench:scale`: how rate, processor time and memory grow with nodes, queues, backlog, payload
// and delayed jobs, against what the documentation says they do. Each level has a server and node
// processes of its own; rounds take the levels in turn.

const NAMES = DIMENSIONS.map(({ name }) => name);
const HELP = `Measures how rate, processor time and memory grow, and compares that with what docs/performance-details.md says.

  pnpm bench:scale [options]

  --only NAME[,NAME]   of ${NAMES.join(", ")}
  --rounds N           how often each level runs, in turn, after one round that isn't counted (default 3, with --smoke 1)
  --smoke              few jobs: shows that everything works, says nothing about growth
  --server GENERATION  newest or 2.10: the nats-server (default newest)
  --json               the results as JSON on the standard output
  --out FILE           the results as JSON in a file
  --help               this

Exit codes: 0 growth is as documented, 1 it isn't (not with --smoke), 2 wrong usage, or no /proc to read it from.
`;

const { values } = readArguments();
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const only = values.only?.split(",") ?? NAMES;
const unknown = only.find((name) => !NAMES.includes(name));
if (unknown !== undefined) refuse(`there is no "${unknown}"; there are ${NAMES.join(", ")}`);
const rounds = Number(values.rounds ?? (values.smoke ? 1 : 3));
if (!Number.isInteger(rounds) || rounds < 1)
  refuse(`--rounds must be a whole number above 0; got "${values.rounds}"`);
if (values.server !== "newest" && values.server !== "2.10")
  refuse(`--server must be newest or 2.10; got "${values.server}"`);
const missing = usageMissing();
if (missing !== undefined) refuse(missing);

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const generation = values.server === "2.10" ? "2.10" : "newest";
const { path, version } = await obtainServer({ generation, onProgress: say });
say(
  `nats-server ${version}, Node ${process.version}, ${availableParallelism()} processors, ${rounds} rounds`,
);
const scalings: Scaling[] = [];
for (const dimension of DIMENSIONS) {
  if (!only.includes(dimension.name)) continue;
  const scaling = await scale(values.smoke ? smokeOf(dimension) : dimension);
  scalings.push(scaling);
  if (!values.json) process.stdout.write(`${renderDimension(scaling, values.smoke)}\n\n`);
}
const report = `${JSON.stringify({ server: version, node: process.version, rounds, scalings }, null, 2)}\n`;
if (values.json) process.stdout.write(report);
if (values.out !== undefined) await writeFile(values.out, report);
const broken = scalings.some(({ claims }) => !claims.every(holds));
if (broken && !values.smoke) process.exitCode = 1;

async function scale(dimension: Dimension): Promise<Scaling> {
  await using open = new AsyncDisposableStack();
  const arenas: Arena[] = [];
  for (const level of dimension.levels) {
    say(`${dimension.name}: preparing ${level.name}`);
    const arena = open.use(await Arena.open(level, path));
    await arena.prepare();
    arenas.push(arena);
  }
  const figures = new Map<Arena, RoundFigures[]>(arenas.map((arena) => [arena, []]));
  for (let round = values.smoke ? 1 : 0; round <= rounds; round += 1) {
    for (const arena of round % 2 === 0 ? arenas : arenas.toReversed()) {
      say(`${dimension.name}: ${round === 0 ? "warm-up" : `round ${round}`}, ${arena.level.name}`);
      const seen = await arena.round();
      if (round > 0) figures.get(arena)?.push(seen);
    }
  }
  const measured = arenas.map((arena): Measured => {
    const { level, serverBytesPerWaiting } = arena;
    return {
      level,
      rounds: figures.get(arena) ?? [],
      ...(serverBytesPerWaiting === undefined ? {} : { serverBytesPerWaiting }),
    };
  });
  const { name, question } = dimension;
  return { name, question, measured, claims: dimension.claims(measured) };
}

function readArguments() {
  try {
    return parseArgs({
      options: {
        only: { type: "string" },
        rounds: { type: "string" },
        smoke: { type: "boolean", default: false },
        server: { type: "string", default: "newest" },
        json: { type: "boolean", default: false },
        out: { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

function refuse(why: string): never {
  process.stderr.write(`bench:scale: ${why} (--help says more)\n`);
  process.exit(2);
}
