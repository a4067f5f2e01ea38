import { JetStreamApiError } from "@nats-io/jetstream";
import { expect, test } from "vitest";
import { asMillraceError } from "./jetstream-errors.ts";

const refused = (err_code: number, description: string) =>
  asMillraceError(
    new JetStreamApiError({ code: 503, err_code, description }),
    "read the bucket nodes",
  );

test.each([
  [10_004, "incomplete results"],
  [10_008, "JetStream system temporarily unavailable"],
  [10_009, "JetStream cluster can not handle request"],
  [10_118, "stream is offline"],
])(
  "a refusal for want of a leader (%i) is an outage, not a request that is wrong",
  (code, text) => {
    expect(refused(code, text)).toMatchObject({
      code: "broker-unavailable",
      message: `Could not read the bucket nodes: JetStream says "${text}" (${code}).`,
    });
  },
);

test("any other refusal is one of the request", () => {
  expect(refused(10_026, "maximum number of streams reached").code).toBe("jetstream-failed");
});
