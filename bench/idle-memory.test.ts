import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { memoryGroup } from "./runtime/memory-group.ts";

const MAIN = fileURLToPath(new URL("./idle-memory.ts", import.meta.url));
const group = memoryGroup(`millrace-look-${process.pid}`);
const missing = typeof group === "string" ? group : undefined;
if (typeof group !== "string") group.remove();
const reason = missing === undefined ? "" : ` (${missing})`;

test.skipIf(missing !== undefined)(
  `what an idle node takes is measured as a container counts it, beside what ps says${reason}`,
  async () => {
    const few = ["--queues", "2", "--seconds", "1"];
    const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...few], {
      timeout: 170_000,
    });
    const figures = [...stdout.matchAll(/^([a-z]+) .*? +(\d+) MB +(\d+) MB$/gm)];
    expect(figures.map(([, what]) => what)).toEqual(["working", "of", "resident", "all"]);
    const [working, own, , charged] = figures.map(([, , mb]) => Number(mb));
    expect(own).toBeGreaterThan(10);
    expect(working).toBeGreaterThanOrEqual(own ?? 0);
    expect(charged).toBeGreaterThanOrEqual(working ?? 0);
  },
  180_000,
);
