import { expect, test } from "vitest";
import { pullNews } from "./pull-status.ts";

test.each([
  [100, "Idle Heartbeat", {}, { kind: "alive" }],
  [404, "No Messages", {}, { kind: "ended", undelivered: undefined, isDry: true }],
  [
    408,
    "Request Timeout",
    { "nats-pending-messages": "3" },
    { kind: "ended", undelivered: 3, isDry: true },
  ],
  [409, "Consumer Deleted", {}, { kind: "consumer-missing", isCertain: true }],
  [
    409,
    "Leadership Change",
    { "nats-pending-messages": "2" },
    { kind: "interrupted", undelivered: 2 },
  ],
  [409, "Server Shutdown", {}, { kind: "interrupted", undelivered: undefined }],
  [409, "Exceeded MaxWaiting", {}, { kind: "crowded" }],
  [409, "Exceeded MaxAckPending", {}, { kind: "crowded" }],
  [409, "Exceeded MaxRequestBatch of 10", {}, { kind: "batch-too-large", limit: 10 }],
  [409, "Exceeded MaxRequestMaxBytes of 512", {}, { kind: "bytes-too-many", limit: 512 }],
  [
    409,
    "Message Size Exceeds MaxBytes",
    { "nats-pending-messages": "7" },
    { kind: "ended", undelivered: 7, isDry: false },
  ],
  [
    409,
    "Batch Completed",
    { "nats-pending-messages": "0" },
    { kind: "ended", undelivered: 0, isDry: false },
  ],
  [409, "Consumer is push based", {}, { kind: "refused", description: "Consumer is push based" }],
  [400, "Bad Request", {}, { kind: "refused", description: "400 Bad Request" }],
  [503, "", {}, { kind: "consumer-missing", isCertain: false }],
])("%i %s", (code, description, headers, expected) => {
  expect(pullNews({ code, description }, headers)).toEqual(expected);
});
