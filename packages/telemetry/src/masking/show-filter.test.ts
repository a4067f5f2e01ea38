import { expect, test } from "vitest";
import { createMask } from "./create-mask.ts";
import { showFilter, shownFilter } from "./show-filter.ts";
import { showValue } from "./show-masked.ts";

const SHOW = showValue(false, createMask({ keys: ["iban"] }));

test.each([
  ["payload.iban:DE89370400440532013000", "payload.iban:***"],
  ["-payload.password=opensesame queue:mail", "-payload.password=*** queue:mail"],
  ["(payload.pin:4711 OR name:a) -b", "(payload.pin:*** OR name:a) -b"],
  ['Payload.customer.pin!~"47 \\" 11"', "Payload.customer.pin!~***"],
  ["payload.account.IBAN>='DE 1'", "payload.account.IBAN>=***"],
  // All that lies under a secret's name is one.
  ["payload.credentials.user:ada", "payload.credentials.user:***"],
  ["payload.card.number:4711", "payload.card.number:***"],
  ["payload.customer:42 attempts>3 took>=5s", "payload.customer:42 attempts>3 took>=5s"],
  ['"payload.iban:4711 x" y', '"payload.iban:4711 x" y'],
  ["payload.x:-5 -payload.y:payload.pin", "payload.x:-5 -payload.y:payload.pin"],
  ["card 4111111111111111", "card ***"],
  // Nobody can say which part is asked of what.
  ['payload.pin:"4711', "***"],
  ['payload.pin:4711 x:"a"b', "***"],
])("what a filter asks of a secret is hidden where it is shown: %s", (filter, expected) =>
  expect(showFilter(filter, SHOW)).toBe(expected),
);

test("who may see payloads sees what was asked", () =>
  expect(showFilter("payload.pin:4711", showValue(true))).toBe("payload.pin:4711"));

test("of all that was looked for, texts are masked, and numbers and switches stay", () => {
  const where = "payload.iban:DE89 -payload.password:opensesame state:dead";
  const names = ["4111111111111111", "other"];
  const filter = { queue: "mail", name: "token=abc", where, names, limit: 7, all: true };
  expect(shownFilter(filter, SHOW)).toEqual({
    ...{ queue: "mail", name: "token=***", names: ["***", "other"], limit: 7, all: true },
    where: "payload.iban:*** -payload.password:*** state:dead",
  });
});

test("a long filter is shown soon, whatever stands in it", () => {
  for (const part of ["payload.", "a.", '\\"', "-(", "x:"]) {
    const since = performance.now();
    showFilter(part.repeat(4_000 / part.length), SHOW);
    showFilter(`payload.${part.repeat(3_900 / part.length)}a:x`, SHOW);
    expect(performance.now() - since).toBeLessThan(1_000);
  }
});
