import { describe, expect, test } from "vitest";
import { type Envelope, UNSETTLED } from "./envelope.ts";
import { messageOf } from "./message.fixture.ts";
import { readEnvelope } from "./read-envelope.ts";
import { writeEnvelope } from "./write-envelope.ts";

/**
 * The wire, byte by byte. These literals are the contract with nodes and producers that are already
 * out there: where one has to change, the envelope's version has to as well.
 */
const MINIMAL: Envelope = {
  ...UNSETTLED,
  id: "job-1",
  name: "mail.welcome",
  queue: "mail",
  payload: { to: "a@b.c" },
  createdAt: 1_700_000_000_000,
  headers: {},
};
const MINIMAL_MSGPACK = [
  "85", // a map of 5
  "a176",
  "01", // v: 1
  "a26964",
  "a56a6f622d31", // id: "job-1"
  "a46e616d65",
  "ac6d61696c2e77656c636f6d65", // name: "mail.welcome"
  "a77061796c6f6164",
  "81",
  "a2746f",
  "a56140622e63", // payload: { to: "a@b.c" }
  "a9637265617465644174",
  "cf0000018bcfe56800", // createdAt
].join("");
const MINIMAL_JSON =
  '{"v":1,"id":"job-1","name":"mail.welcome","payload":{"to":"a@b.c"},"createdAt":1700000000000}';

const CHILD: Envelope = { ...MINIMAL, parent: { id: "job:2", queue: "mail" } };
const CHILD_MSGPACK = [
  `86${MINIMAL_MSGPACK.slice(2)}`, // a map of 6
  "a6706172656e74",
  "82",
  "a26964",
  "a56a6f623a32",
  "a57175657565",
  "a46d61696c", // parent
].join("");
const CHILD_JSON = `${MINIMAL_JSON.slice(0, -1)},"parent":{"id":"job:2","queue":"mail"}}`;

const FULL: Envelope = {
  id: "job:2",
  name: "mail.welcome",
  queue: "mail",
  payload: [1, -2, 2.5, "ü", null, true],
  createdAt: 1_700_000_000_000,
  notBefore: 1_700_000_060_000,
  expiresAt: 1_700_003_600_000,
  maxAttempts: 3,
  timeoutMs: 30_000,
  uniqueKey: "u",
  concurrencyKey: "c",
  tags: ["x", "y"],
  attempts: 2,
  generation: 5,
  interruptions: 1,
  crashes: 1,
  snoozes: 1,
  reservedAt: 1_700_000_000_000,
  firstError: { type: "Error", message: "first" },
  lastError: { type: "timed-out", message: "last", stack: "at x" },
  lane: "high",
  headers: { traceparent: "00-1-2-01" },
};
const FULL_MSGPACK = [
  "de0014", // a map of 20: queue, lane and headers are not in the body
  "a176",
  "01",
  "a26964",
  "a56a6f623a32",
  "a46e616d65",
  "ac6d61696c2e77656c636f6d65",
  "a77061796c6f6164",
  "96",
  "01",
  "fe",
  "cb4004000000000000",
  "a2c3bc",
  "c0",
  "c3",
  "a9637265617465644174",
  "cf0000018bcfe56800",
  "a96e6f744265666f7265",
  "cf0000018bcfe65260", // notBefore
  "a9657870697265734174",
  "cf0000018bd01c5680", // expiresAt
  "ab6d6178417474656d707473",
  "03", // maxAttempts
  "a974696d656f75744d73",
  "cd7530", // timeoutMs
  "a9756e697175654b6579",
  "a175", // uniqueKey
  "ae636f6e63757272656e63794b6579",
  "a163", // concurrencyKey
  "a474616773",
  "92",
  "a178",
  "a179", // tags
  "a8617474656d707473",
  "02", // attempts
  "aa67656e65726174696f6e",
  "05", // generation
  "ad696e74657272757074696f6e73",
  "01", // interruptions
  "a763726173686573",
  "01", // crashes
  "a7736e6f6f7a6573",
  "01", // snoozes
  "aa72657365727665644174",
  "cf0000018bcfe56800", // reservedAt
  "aa66697273744572726f72",
  "82",
  "a474797065",
  "a54572726f72",
  "a76d657373616765",
  "a56669727374", // firstError
  "a96c6173744572726f72",
  "83",
  "a474797065",
  "a974696d65642d6f7574",
  "a76d657373616765",
  "a46c617374",
  "a5737461636b",
  "a461742078",
].join("");
const FULL_JSON =
  '{"v":1,"id":"job:2","name":"mail.welcome","payload":[1,-2,2.5,"ü",null,true],"createdAt":1700000000000,' +
  '"notBefore":1700000060000,"expiresAt":1700003600000,"maxAttempts":3,"timeoutMs":30000,"uniqueKey":"u","concurrencyKey":"c",' +
  '"tags":["x","y"],"attempts":2,"generation":5,"interruptions":1,"crashes":1,"snoozes":1,"reservedAt":1700000000000,' +
  '"firstError":{"type":"Error","message":"first"},"lastError":{"type":"timed-out","message":"last","stack":"at x"}}';

describe("golden bytes", () => {
  test.each([
    ["the least there can be", MINIMAL, MINIMAL_MSGPACK, MINIMAL_JSON],
    ["a job that was enqueued in another's handler", CHILD, CHILD_MSGPACK, CHILD_JSON],
    ["every field", FULL, FULL_MSGPACK, FULL_JSON],
  ])("%s", (_, envelope, msgpack, json) => {
    expect(Buffer.from(writeEnvelope(envelope)).toString("hex")).toBe(msgpack);
    expect(new TextDecoder().decode(writeEnvelope(envelope, "json"))).toBe(json);
    for (const body of [Buffer.from(msgpack, "hex"), Buffer.from(json)]) {
      const { lane, headers } = envelope;
      const message = messageOf(new Uint8Array(body), {
        origin: "runtime",
        headers,
        ...(lane === undefined ? {} : { lane }),
      });
      expect(readEnvelope(message)).toEqual({
        ok: true,
        envelope,
        values: expect.any(Number) as number,
      });
    }
  });

  test("settler fields are left out of a job that was never settled, whatever they say", () => {
    const body = writeEnvelope({ ...MINIMAL, attempts: 3, crashes: 2 });
    expect(Buffer.from(body).toString("hex")).toBe(MINIMAL_MSGPACK);
  });
});
