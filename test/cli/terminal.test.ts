import { expect, test } from "vitest";
import { millrace } from "./millrace.ts";

const ESCAPE = String.fromCodePoint(27);

test.each([
  ["piped", {}, false],
  ["forced", { FORCE_COLOR: "1" }, true],
  ["switched off", { FORCE_COLOR: "0" }, false],
])("colours, %s", async (_how, env, coloured) => {
  const help = await millrace(["--help"], {
    env: { NO_COLOR: undefined, FORCE_COLOR: undefined, ...env },
  });
  expect(help.code).toBe(0);
  expect(help.out.includes(ESCAPE)).toBe(coloured);
});
