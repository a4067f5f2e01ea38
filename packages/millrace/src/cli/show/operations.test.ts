import { createMask } from "@millrace/telemetry/masking";
import { expect, test } from "vitest";
import type { Operation } from "../../client/operations/operation.ts";
import { detachedReport, maskedOperation, operationReport } from "./operations.ts";

const OPERATION: Operation = {
  ...{ id: "op", kind: "dead-retry", filter: {}, by: "ada", at: 1 },
  ...{ total: 30, done: 5, gone: 0, failed: 25 },
  failures: [
    { id: "a", queue: "mail", code: "invalid-payload", message: "customer C-1234 is not known" },
  ],
  progress: { state: "done", at: 2 },
};

test("what was looked for is masked as the configuration says", () => {
  const mask = createMask({ patterns: [/C-\d+/u] });
  const filter = { queue: "mail", where: "message~C-1234", names: ["C-7", "other"], all: true };
  expect(maskedOperation({ ...OPERATION, filter }, mask).filter).toEqual({
    ...{ queue: "mail", where: "message~***", names: ["***", "other"], all: true },
  });
});

test("and what was asked of a secret's field is hidden by the field's name", () => {
  const mask = createMask({ keys: ["iban"] });
  const where = "payload.iban:DE89 -payload.pin:4711 queue:mail";
  expect(maskedOperation({ ...OPERATION, filter: { where } }, mask).filter).toEqual({
    where: "payload.iban:*** -payload.pin:*** queue:mail",
  });
});

test("so is the reason, and all of it where somebody else is to carry it out", () => {
  const mask = createMask({ patterns: [/C-\d+/u] });
  const asked = { ...OPERATION, filter: { where: "payload.pin:4711" }, reason: "for C-1234" };
  const shown = { filter: { where: "payload.pin:***" }, reason: "for ***" };
  expect(maskedOperation(asked, mask)).toMatchObject(shown);
  expect(detachedReport(asked, mask).json).toMatchObject(shown);
});

test("failures are masked as the configuration says, and those that are not named are counted", () => {
  const mask = createMask({ patterns: [/C-\d+/u] });
  const { json, text, exitCode } = operationReport(OPERATION, mask, undefined);
  const said = text((_colour, words) => words);
  expect(said).toContain("failed a: customer *** is not known (invalid-payload)\n");
  expect(said).toContain("24 more failed. Which: millrace operations get op --items\n");
  expect(JSON.stringify(json)).not.toContain("C-1234");
  expect(exitCode).toBe(1);
});

test("it is said how many nodes did not answer, and nothing of it where all did", () => {
  const plain = (_colour: string, words: string): string => words;
  for (const [unanswered, words] of [
    [1, "1 node did not answer: of what it has in hand"],
    [3, "3 nodes did not answer: of what they have in hand"],
  ] as const) {
    const operation = { ...OPERATION, unanswered };
    expect(operationReport(operation, createMask({}), undefined).text(plain)).toContain(words);
    expect(detachedReport(operation, createMask({})).text(plain)).toContain(words);
  }
  expect(operationReport(OPERATION, createMask({}), undefined).text(plain)).not.toContain("answer");
  expect(detachedReport(OPERATION, createMask({})).text(plain)).not.toContain("answer");
});
