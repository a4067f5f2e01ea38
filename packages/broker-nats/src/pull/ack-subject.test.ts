import { expect, test } from "vitest";
import { parseAckSubject } from "./ack-subject.ts";

const expected = {
  deliveryCount: 2,
  streamSequence: 1234567,
  consumerSequence: 89,
  publishedAtMs: 1697042342342,
  pending: 5,
};

test.each([
  ["9 tokens", "$JS.ACK.Q.W.2.1234567.89.1697042342342342342.5"],
  ["11 tokens", "$JS.ACK._.acc0unt.Q.W.2.1234567.89.1697042342342342342.5"],
  ["12 tokens", "$JS.ACK.hub.acc0unt.Q.W.2.1234567.89.1697042342342342342.5.rAnd0m"],
])("reads the form of %s", (_form, subject) => {
  expect(parseAckSubject(subject)).toEqual(expected);
});

test.each([
  "",
  "$JS.ACK",
  "$JS.ACK.Q.W.2.1.1.1697042342342342342",
  "$JS.ACK.Q.W.x.1.1.1697042342342342342.0",
  "$JS.ACK.Q.W.2.1.1.12.0",
  "jobs.a.b.c.d.e.f.g.h",
])("%j is no ack subject", (subject) => {
  expect(parseAckSubject(subject)).toBeUndefined();
});
