import { atLeast, atMost, cpuOf, medianOf, rateOf, ratio, sides } from "./claims.ts";
import { BASE, type Dimension } from "./level.ts";

/** Longer than the deduplication window, two minutes. */
const IDS_FORGOTTEN_MS = 130_000;

/**
 * The growth that docs/performance-details.md promises. Rates of node processes depend on the
 * machine's processors; their cost doesn't.
 */
export const DIMENSIONS: readonly Dimension[] = [
  {
    name: "nodes",
    question: "What do more node processes on one queue cost?",
    levels: [1, 2, 4].map((nodes) => ({
      ...BASE,
      name: nodes === 1 ? "1 node" : `${nodes} nodes`,
      nodes,
      jobs: 60_000,
    })),
    claims: (measured) => {
      const [one, ...more] = sides(measured);
      return more.flatMap((level) => [
        atLeast(
          `${level.level.name} are no slower than one`,
          ratio(level, one, rateOf),
          0.85,
          "ratio",
        ),
        atMost(`CPU a job, ${level.level.name} : 1`, ratio(level, one, cpuOf), 1.5, "ratio"),
      ]);
    },
  },
  {
    name: "queues",
    question: "What do more queues on one node cost?",
    levels: [1, 10, 100].map((queues) => ({
      ...BASE,
      name: queues === 1 ? "1 queue" : `${queues} queues`,
      queues,
    })),
    claims: (measured) => {
      const [one, ...more] = sides(measured);
      return more.map((level) =>
        atMost(`CPU a job, ${level.level.name} : 1`, ratio(level, one, cpuOf), 2, "ratio"),
      );
    },
  },
  {
    name: "backlog",
    question: "Does a job cost more when a million others wait behind it?",
    levels: [
      { ...BASE, name: "10,000 waiting", backlog: 10_000 },
      { ...BASE, name: "1,000,000 waiting", backlog: 1_000_000, settleMs: IDS_FORGOTTEN_MS },
    ],
    claims: (measured) => {
      const [short, long = short] = sides(measured);
      return [
        atLeast("rate, 1,000,000 : 10,000", ratio(long, short, rateOf), 0.9, "ratio"),
        atMost("CPU a job, 1,000,000 : 10,000", ratio(long, short, cpuOf), 1.1, "ratio"),
        atMost(
          "node memory, 1,000,000 less 10,000",
          medianOf(long, (f) => f.nodeRssMb) - medianOf(short, (f) => f.nodeRssMb),
          30,
          "MB",
        ),
        atMost(
          "server memory a waiting job",
          long.serverBytesPerWaiting ?? Number.NaN,
          500,
          "bytes",
        ),
      ];
    },
  },
  {
    name: "payload",
    question: "What does a larger payload cost?",
    levels: [
      { ...BASE, name: "100 B" },
      { ...BASE, name: "10 kB", payloadBytes: 10_000, jobs: 20_000 },
      { ...BASE, name: "900 kB", payloadBytes: 900_000, jobs: 400 },
    ],
    claims: (measured) => {
      const [small, medium = small, large = small] = sides(measured);
      const perByte = (level: typeof small): number =>
        medianOf(level, cpuOf) / level.level.payloadBytes;
      return [
        atMost("CPU a job, 10 kB : 100 B", ratio(medium, small, cpuOf), 4, "ratio"),
        atMost("CPU a byte, 900 kB : 10 kB", perByte(large) / perByte(medium), 1, "ratio"),
      ];
    },
  },
  {
    name: "delayed",
    question: "What do a million delayed jobs cost while they wait?",
    levels: [
      { ...BASE, name: "10,000 delayed", delayed: 10_000, due: 2_000 },
      {
        ...BASE,
        name: "1,000,000 delayed",
        delayed: 1_000_000,
        due: 2_000,
        settleMs: IDS_FORGOTTEN_MS,
      },
    ],
    claims: (measured) => {
      const [few, many = few] = sides(measured);
      return [
        atLeast("rate of others, 1,000,000 : 10,000", ratio(many, few, rateOf), 0.8, "ratio"),
        atMost("CPU a job, 1,000,000 : 10,000", ratio(many, few, cpuOf), 1.2, "ratio"),
        atMost(
          "lateness p99",
          medianOf(many, (f) => f.latenessMs?.p99),
          100,
          "ms",
        ),
        atMost(
          "of a core while none is due",
          medianOf(many, (f) => f.idleShare),
          0.05,
          "share",
        ),
        atMost(
          "server memory a delayed job",
          many.serverBytesPerWaiting ?? Number.NaN,
          2_000,
          "bytes",
        ),
      ];
    },
  },
];
