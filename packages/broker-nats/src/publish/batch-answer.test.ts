import type { Msg } from "@nats-io/nats-core";
import { expect, test } from "vitest";
import { readBatchAnswer, takesBatches } from "./batch-answer.ts";

const reply = (text: string): Msg =>
  ({
    ...{ subject: "inbox.t.1000.fail.3.1.$FI", string: () => text },
    data: new TextEncoder().encode(text),
  }) as unknown as Msg;

test.each(["", "null", "7", "[]", "no JSON", '{"error":null}', '{"seq":1}'])(
  "%j is nothing that a server says of a batch: what has no answer goes out one by one",
  (text) => {
    expect(readBatchAnswer(reply(text), "s")).toEqual({ kind: "lost" });
    expect(takesBatches(reply(text))).toBe(false);
  },
);
