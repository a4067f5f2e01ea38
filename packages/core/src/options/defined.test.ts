import { expect, expectTypeOf, test } from "vitest";
import { defined } from "./defined.ts";

test("what has no value is absent, and nothing else: not null, not 0, not an empty text", () => {
  const none = undefined as number | undefined;
  const fields = { ...defined({ none, some: 0, empty: "", nothing: null, no: false }) };
  expect(Object.keys(fields)).toEqual(["some", "empty", "nothing", "no"]);
  expectTypeOf(fields).toEqualTypeOf<{
    none?: number;
    some: number;
    empty: string;
    nothing: null;
    no: boolean;
  }>();
});
