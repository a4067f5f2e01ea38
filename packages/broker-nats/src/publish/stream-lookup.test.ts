import type { NatsConnection } from "@nats-io/nats-core";
import { expect, test } from "vitest";
import { lookUpStream, lookUpStreamPatiently } from "./stream-lookup.ts";

/** A server that gives these answers in turn: the names of the streams, or what is thrown. */
function server(cluster: string | undefined, ...answers: readonly (readonly string[] | Error)[]) {
  const left = [...answers];
  const request = async () => {
    const answer = left.shift();
    if (answer === undefined) throw new Error("asked too often");
    if (answer instanceof Error) throw answer;
    return { json: () => ({ streams: answer }) };
  };
  return { info: { cluster }, request } as unknown as NatsConnection;
}

test.each([
  ["a single server is believed", server(undefined, []), "absent"],
  ["a cluster is asked again", server("c", [], ["queue-mail"]), "exists"],
  ["what it says twice is believed", server("c", [], []), "absent"],
  ["what it finds at once, too", server("c", ["queue-mail"]), "exists"],
  [
    "who may not ask learns nothing",
    server("c", new Error("Permissions Violation for Publish")),
    "not-permitted",
  ],
])("%s", async (_what, nc, found) => {
  expect(await lookUpStream(nc, "millrace.jobs.mail", 1)).toBe(found);
});

test.each([
  [
    "silence of a cluster is an election",
    server("c", new Error("timeout"), ["queue-mail"]),
    "exists",
  ],
  [
    "and so is one after an answer",
    server("c", [], new Error("timeout"), ["queue-mail"]),
    "exists",
  ],
  ["nobody takes over from a single server", server(undefined, new Error("timeout")), "unknown"],
])("for who has to know, %s", async (_what, nc, found) => {
  const options = { againMs: 1, patienceMs: 1_000 };
  expect(await lookUpStreamPatiently(nc, "millrace.requeue.mail", options)).toBe(found);
});

test("silence that lasts ends with the patience", async () => {
  const silent = server("c", ...Array.from({ length: 1_000 }, () => new Error("timeout")));
  const options = { againMs: 1, patienceMs: 20 };
  expect(await lookUpStreamPatiently(silent, "millrace.requeue.mail", options)).toBe("unknown");
});
