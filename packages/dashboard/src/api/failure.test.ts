import { MillraceError } from "@millrace/core";
import { createMask } from "@millrace/telemetry/masking";
import { expect, test } from "vitest";
import { failureOf } from "./failure.ts";
import { indexView } from "./search.ts";

const mask = createMask({ patterns: [/EMP-\d{6}/] });

test("an error's text hides what the client's own patterns do", () => {
  const error = new MillraceError("invalid-option", "EMP-123456 is none.");
  expect(failureOf(error, mask)).toEqual({
    status: 400,
    body: { error: { code: "invalid-option", message: "*** is none." } },
  });
});

test("so does the problem of an index", async () => {
  const read = { state: "following", position: 0, behind: 0 } as const;
  const status = { ...read, jobs: 0, bytes: 0, unheard: 0 };
  const problem = { at: 1, message: "EMP-123456 can't be read." };
  const search = { status: async () => ({ ...status, problem }) };
  const view = await indexView(search as unknown as Parameters<typeof indexView>[0], mask);
  expect(view.problem).toBe("*** can't be read.");
});
