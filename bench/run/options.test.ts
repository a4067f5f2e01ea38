import { expect, test } from "vitest";
import { readOptions, UsageError } from "./options.ts";

const read = (...args: string[]) => readOptions(args, ["process", "pickup"]);

test("a full run measures both classes three times, a smoke run one of them once", () => {
  expect(read()).toMatchObject({ rounds: 3, durabilities: ["page-cache", "disk"], peers: true });
  expect(read("--smoke")).toMatchObject({ rounds: 1, durabilities: ["page-cache"], peers: true });
  expect(read("--only", "pickup,process", "--no-peers", "--server", "2.10")).toMatchObject({
    only: ["pickup", "process"],
    peers: false,
    generation: "2.10",
  });
});

test.each([
  [["--only", "pickup,proces"], /no scenario is called "proces"; there are process, pickup/],
  [["--rounds", "0"], /--rounds must be a whole number above 0; got "0"/],
  [["--outstanding", "many"], /--outstanding must be a whole number above 0; got "many"/],
  [["--durability", "ram"], /--durability must be one of page-cache, disk, both; got "ram"/],
  [["--server", "3"], /--server must be one of newest, 2.10; got "3"/],
  [["--record", "bench.json"], /--record must be a file whose name ends with .jsonl/],
  [["--record", "bench.jsonl", "--smoke"], /so few jobs say nothing about speed/],
  [["--nothing"], /nothing/],
])("%j is refused", (args, message) => {
  expect(() => read(...args)).toThrow(UsageError);
  expect(() => read(...args)).toThrow(message);
});
