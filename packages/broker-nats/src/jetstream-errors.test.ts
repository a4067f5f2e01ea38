import { JetStreamApiError } from "@nats-io/jetstream";
import { PermissionViolationError, RequestError } from "@nats-io/nats-core";
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

const COULD_NOT = "Could not read the bucket nodes: the user of this connection may not.";
const denied = (operation: "publish" | "subscription") =>
  new PermissionViolationError("Permissions Violation", operation, "x");
const unasked = (operation: "publish" | "subscription") =>
  new RequestError("denied", { cause: denied(operation) });

test.each([
  ["what may not be published", denied("publish"), COULD_NOT],
  ["what may not be listened to", denied("subscription"), COULD_NOT],
  ["what may not be asked", unasked("publish"), COULD_NOT],
  [
    "a request whose answer may not be heard",
    unasked("subscription"),
    "Could not read the bucket nodes, or not hear that it was done:",
  ],
])("%s is denied, and the error says what may have become of it", (_, thrown, says) => {
  expect(asMillraceError(thrown, "read the bucket nodes")).toMatchObject({
    code: "permission-denied",
    message: expect.stringContaining(says),
  });
});
