import { expect, test } from "vitest";
import { heapShare } from "./heap-share.ts";

const GB = 2 ** 30;

test.each([
  ["a container of 1 GiB is shared", { constrained: GB }, ["--max-old-space-size=384"]],
  ["no limit", { constrained: 0 }, []],
  ["a limit above the machine is none", { constrained: 2 ** 60 }, []],
  ["very little", { constrained: GB / 16 }, ["--max-old-space-size=64"]],
  ["Node's own argument stays", { constrained: GB, nodeArgs: ["--max-old-space-size=99"] }, []],
  ["so does NODE_OPTIONS", { constrained: GB, nodeOptions: "--max_old_space_size=99" }, []],
])("of two processes: %s", (_what, given, expected) => {
  expect(heapShare(2, { total: 24 * GB, nodeArgs: [], ...given })).toEqual(expected);
});
