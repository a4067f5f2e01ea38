import { expect, test } from "vitest";
import { forwardHeaders } from "./forward-headers.ts";

test("who waits for a job's end stays with it, and no other header of the runtime does", () => {
  const headers = { "millrace-caller": "payroll/p-1", "millrace-gate": "g", tenant: "t" };
  expect(forwardHeaders(headers, "millrace/j/1")).toEqual({
    ...{ "Millrace-Caller": "payroll/p-1", "Nats-Msg-Id": "millrace/j/1", tenant: "t" },
  });
});
