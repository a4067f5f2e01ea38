import { errorFields, recordFailure } from "@millrace/core";
import { expect, test } from "vitest";
import { packError, unpackError } from "./portable.ts";

test("the fields that an error names cross the border of a thread", () => {
  const thrown = Object.assign(new Error("no"), {
    ...{ code: "card_declined", request: "left out" },
    [errorFields]: ["code"],
  });
  const packed = structuredClone(packError(thrown));
  expect(unpackError(packed)).toMatchObject({ message: "no", code: "card_declined" });
  expect(recordFailure(unpackError(packed)).fields).toEqual({ code: "card_declined" });
});
