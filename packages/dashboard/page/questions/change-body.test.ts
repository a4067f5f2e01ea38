import { expect, test } from "vitest";
import { changeBody } from "./change-body.ts";

test.each([
  [{}, "9007199254740993", '{"value":9007199254740993}'],
  [{ reason: "why" }, ' {"cents":1e400} ', '{"reason":"why","value": {"cents":1e400} }'],
  [{ id: "a" }, " ", '{"id":"a"}'],
  [{}, "", "{}"],
])("what is typed as JSON is sent as it stands: %j with %j", (body, typed, sent) => {
  expect(changeBody(body, typed)).toBe(sent);
});

test("what is no JSON is refused before it is sent", () => {
  for (const typed of ["{", "1,2", '1,"force":true'])
    expect(() => changeBody({}, typed)).toThrow(SyntaxError);
});
