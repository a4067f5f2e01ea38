import { expect, test } from "vitest";
import { completeFilter } from "./complete-filter.ts";

const FIELDS = { state: "how it stands", name: "its name", queue: "its queue" };
const KNOWN = {
  state: ["queued", "dead", "succeeded"],
  queue: ["mail", "odd one"],
  payload: ["customer", "customer.id"],
};
const after = (text: string): readonly string[] =>
  completeFilter(text, FIELDS, KNOWN).map(({ filter }) => filter);

test.each([
  ["", ["state:", "name:", "queue:", "payload.customer:", "payload.customer.id:"]],
  ["st", ["state:"]],
  ["name:a -ST", ["name:a -state:"]],
  ["(st", ["(state:"]],
  ["state:de", ["state:dead"]],
  ["-state:que", ["-state:queued"]],
  ["x OR queue:od", ['x OR queue:"odd one"']],
  ['queue:"od', ['queue:"odd one"']],
  ["payload.customer.", ["payload.customer.id:"]],
  ["state:dead", []],
  ["name:", []],
  ['"a st', []],
])("%j goes on as %j", (text, expected) => expect(after(text)).toEqual(expected));
