import {
  encodeMsgpack,
  type Envelope,
  type HistoryRecord,
  type StoredDeadLetter,
} from "@millrace/core";
import { createMask, showValue } from "@millrace/telemetry/masking";
import { expect, onTestFinished, test } from "vitest";
import { NOTHING_READ } from "./index-calls.ts";
import { IndexStore } from "./sqlite/index-store.ts";
import { arrivalNews, heardNews, letterNews, recordNews } from "./news-of.ts";

const SHOW = showValue(false, createMask());
const CARD = "4111111111111111";

/** Of four jobs one has a card in each place, one is too large, and one was never seen whole. */
function index(): (filter: string) => readonly string[] {
  const store = IndexStore.open("", "");
  onTestFinished(() => store.close());
  const arrival = (position: number, more: Pick<Envelope, "id" | "payload" | "tags">) => {
    const envelope: Envelope = {
      ...{ queue: "mail", name: "send", headers: {}, createdAt: 1 },
      ...{ attempts: 0, generation: 0, interruptions: 0, crashes: 0, snoozes: 0 },
      ...more,
    };
    return arrivalNews({ envelope, position, storedAt: position }, SHOW);
  };
  const record: HistoryRecord = {
    ...{ id: "unseen", queue: "mail", name: "send", node: "n", at: 9, createdAt: 1, attempts: 1 },
    ...{ generation: 0, state: "requeued", outcome: "failed" },
    error: { type: "Declined", message: "no money on ***" },
  };
  store.write(
    [
      arrival(1, { id: "plain", payload: { customer: 7 }, tags: ["vip"] }),
      arrival(2, { id: "card", payload: { card: CARD, customer: 7 }, tags: [CARD] }),
      arrival(3, { id: "large", payload: { text: "x ".repeat(10_000) }, tags: ["vip"] }),
      recordNews({ record, position: 4, storedAt: 9 }, SHOW),
    ],
    NOTHING_READ,
  );
  return (filter) =>
    store
      .search({ filter, limit: 10, now: 10 })
      .jobs.map(({ id }) => id)
      .toSorted();
}

test.each([
  ["-payload.card:4111*", ["plain"]],
  ["payload.card!=4111111111111111", ["plain"]],
  ["-payload.customer:8", ["card", "plain"]],
  ["-payload~4111", ["plain"]],
  ["-tag:4111*", ["large", "plain"]],
  ["-message~4111", ["card", "large", "plain"]],
  ["message!~4111", ["card", "large", "plain"]],
  ["-4111", ["plain"]],
  // What was found is certain.
  ["payload.customer:7", ["card", "plain"]],
  ["message~money", ["unseen"]],
  ["-id:plain", ["card", "large", "unseen"]],
])("%s takes in no job of an index for what is hidden in it, or was never seen", (filter, ids) => {
  expect(index()(filter)).toEqual(ids);
});

test.each(["tag~4111", "tag:4111*", "4111"])(
  "a secret in a tag is not guessed letter by letter in an index with %s",
  (filter) => expect(index()(filter)).toEqual([]),
);

test("nor is one that was heard of", () => {
  const envelope: Envelope = {
    ...{ id: "x", queue: "mail", name: "send", payload: 1, headers: {}, createdAt: 1 },
    ...{ attempts: 0, generation: 0, interruptions: 0, crashes: 0, snoozes: 0, tags: [CARD] },
  };
  expect(JSON.stringify(heardNews(envelope, 1, SHOW))).not.toContain(CARD);
});

test("the tags of a dead job are read from its letter", () => {
  const store = IndexStore.open("", "");
  onTestFinished(() => store.close());
  const payload = { customer: 7 };
  const letter: StoredDeadLetter = {
    ...{ id: "x", queue: "mail", name: "send", reason: "fatal", attempts: 1, at: 1, node: "n" },
    ...{ headers: {}, sequence: 1, body: encodeMsgpack({ payload, tags: ["vip", CARD] }) },
  };
  store.write(
    [letterNews(letter, SHOW)].flatMap((news) => news ?? []),
    NOTHING_READ,
  );
  const found = (filter: string): number => store.search({ filter, limit: 9, now: 1 }).jobs.length;
  expect(found("tag:vip payload.customer:7")).toBe(1);
  expect([found("-tag:vip"), found("tag~4111"), found("-tag:4111*")]).toEqual([0, 0, 0]);
});

test.each([
  ["payload.n>1e220", 1],
  ["payload.n>1e251", 0],
  ["payload.n>=1e999", 0],
  ["payload.long>=1e999", 1],
])("a number of more digits than an index looks up is found by %s: %s", (filter, count) => {
  const store = IndexStore.open("", "");
  onTestFinished(() => store.close());
  const payload = { n: `1${"0".repeat(250)}`, long: "1e999" };
  const place = { id: "x", queue: "mail", createdAt: 1, life: 0 };
  const job = { ...place, name: "send", state: "queued", attempts: 0, at: 1, payload } as const;
  store.write([{ kind: "arrival", position: 1, ...place, job }], NOTHING_READ);
  expect(store.search({ filter, limit: 9, now: 1 }).jobs).toHaveLength(count);
});
