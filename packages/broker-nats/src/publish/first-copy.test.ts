import { CLAIM_HEADER } from "@millrace/core";
import { expect, test } from "vitest";
import { encodeHeaders } from "../wire/headers.ts";
import { headersOfCopy } from "./first-copy.ts";

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

test.each([
  ["first", { [CLAIM_HEADER]: "7 running a", "Nats-Msg-Id": "a" }],
  ["in the middle", { "x-a": "1", [CLAIM_HEADER]: "7 running a", "Nats-Msg-Id": "a" }],
  ["last", { "x-a": "1", "Nats-Msg-Id": "a", [CLAIM_HEADER]: "7" }],
])("a copy says nothing of the claim, and everything else: %s", (_, headers) => {
  const { [CLAIM_HEADER]: _claim, ...rest } = headers as Record<string, string>;
  expect(text(headersOfCopy(encodeHeaders(headers)))).toBe(text(encodeHeaders(rest)));
});

test("headers without a claim stay the same bytes", () => {
  const headers = encodeHeaders({ "Nats-Msg-Id": "a", "x-b": CLAIM_HEADER });
  expect(headersOfCopy(headers)).toBe(headers);
  const copied = headersOfCopy(encodeHeaders({ "x-a": "1", [CLAIM_HEADER]: "7" }));
  expect(headersOfCopy(copied)).toBe(copied);
});
