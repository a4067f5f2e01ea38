import { expect, test } from "vitest";
import { asSetAside } from "./read-rows.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = `00-${TRACE}-b7ad6b7169203331-01`;

function traceOf(headers: unknown): string | undefined {
  const text = typeof headers === "string" ? headers : JSON.stringify(headers);
  return asSetAside({
    seq: 1,
    id: "a",
    queue: "q",
    reason: "r",
    detail: "d",
    age: 1,
    headers: text,
  }).traceId;
}

test("a row that was set aside says its trace, however its writer wrote the header's name", () => {
  expect(traceOf({ traceparent: PARENT })).toBe(TRACE);
  expect(traceOf({ "x-tenant": "7", Traceparent: PARENT })).toBe(TRACE);
  expect(traceOf({ TRACEPARENT: PARENT })).toBe(TRACE);
  for (const none of [{}, { traceparent: 7 }, { Traceparent: "nonsense" }, [], null, "no JSON"])
    expect(traceOf(none)).toBeUndefined();
});
