import { spawnSync } from "node:child_process";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { ERROR_CODES, type ErrorCode } from "./codes.ts";
import { errorAddress, errorCommand } from "./error-help.ts";
import { MillraceError } from "./millrace-error.ts";
import { recordError } from "./recorded-error.ts";

const CODES = Object.keys(ERROR_CODES) as readonly ErrorCode[];
const HELP = "npx millrace docs queue-full";

describe("the way from an error to its entry", () => {
  test.each(CODES)("of %s is the command that prints it, where no site is known", (code) => {
    expect(new MillraceError(code, "It failed.").help).toBe(`npx millrace docs ${code}`);
    expect(errorCommand(code)).toBe(`npx millrace docs ${code}`);
  });

  test.each(["https://millrace.example/", "https://millrace.example/docs/"])(
    "is its anchor on a site that begins at %s",
    (site) => {
      expect(errorAddress(site, "queue-full")).toBe(`${site}errors.html#queue-full`);
    },
  );

  test("is printed with the error, with one that is a cause, and its message stays as it is", () => {
    const error = new MillraceError("queue-full", "The queue is full.");
    expect(error.message).toBe("The queue is full.");
    expect(String(error.stack)).not.toContain(HELP);
    expect(inspect(error)).toContain(HELP);
    expect(inspect(new Error("Outside.", { cause: error }))).toContain(HELP);
  });

  test("is printed with an error that nobody caught", () => {
    const module = new URL("millrace-error.ts", import.meta.url).href;
    const program = `import { MillraceError } from ${JSON.stringify(module)};
      throw new MillraceError("queue-full", "The queue is full.");`;
    const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
      encoding: "utf8",
    });
    expect(status).toBe(1);
    expect(stderr).toContain("MillraceError: The queue is full.");
    expect(stderr).toContain(HELP);
  });

  test("is in nothing that writes an error down", () => {
    const error = new MillraceError("queue-full", "The queue is full.");
    const names: string[] = [];
    for (const name in error) names.push(name);
    expect(names.toSorted()).toEqual(["code", "name"]);
    for (const written of [recordError(error), error, Object.entries(error)])
      expect(JSON.stringify(written)).not.toContain("millrace docs");
  });

  test("leaves an error of the family one, also for another copy of the package", () => {
    const error = new MillraceError("queue-full", "The queue is full.");
    expect(MillraceError.is(error, "queue-full")).toBe(true);
    expect(Symbol.for("millrace.error") in error).toBe(true);
    expect(Object.getOwnPropertySymbols(error).map(String)).toEqual(["Symbol(help)"]);
  });
});
