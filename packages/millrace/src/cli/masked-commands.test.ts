import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const COMMANDS = join(import.meta.dirname, "commands");
const source = (file: string): string => readFileSync(join(COMMANDS, file), "utf8");

test("every command that masks what it shows takes the fields of the mask as flags", () => {
  const masking = globSync("**/*.ts", { cwd: COMMANDS }).filter((file) =>
    /^ +fields: \[[^]*maskOf\(/m.test(source(file)),
  );
  expect(masking.length).toBeGreaterThan(20);
  expect(masking.filter((file) => !/fields: \[[^\]]*"masking"/.test(source(file)))).toEqual([]);
});
