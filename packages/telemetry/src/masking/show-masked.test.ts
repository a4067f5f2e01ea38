import { type DeadLetter, encodeMsgpack, type HistoryRecord } from "@millrace/core";
import { expect, test } from "vitest";
import { createMask } from "./create-mask.ts";
import { payloadOf, shownCargo, shownRecord, shownReport, showValue } from "./show-masked.ts";

function letter(body: Uint8Array): DeadLetter {
  return { id: "j", queue: "q", reason: "fatal", attempts: 1, at: 1, node: "n", body, headers: {} };
}

const secret = { to: "ada", apiKey: "k", bytes: new Uint8Array(2) };

test("a payload is masked by its keys, or shown as it is, with bytes as their length", () => {
  const body = encodeMsgpack({ name: "n", payload: secret });
  expect(payloadOf(letter(body), showValue(undefined))).toEqual({
    payload: { to: "ada", apiKey: "***", bytes: "(2 bytes)" },
  });
  expect(payloadOf(letter(body), showValue(true))).toEqual({
    payload: { to: "ada", apiKey: "k", bytes: "(2 bytes)" },
  });
});

test.each([[new Uint8Array([0xc1])], [encodeMsgpack([1])], [new Uint8Array()]])(
  "bytes that are no envelope are unreadable: %j",
  (body) => {
    expect(payloadOf(letter(body), showValue(true))).toHaveProperty("unreadable");
  },
);

test("what a job carries is masked, its tags too, or shown as it is", () => {
  const cargo = { payload: { apiKey: "k" }, headers: { cookie: "c" }, tags: ["vip", "token=t"] };
  expect(shownCargo(cargo, showValue(false))).toEqual({
    ...{ payload: { apiKey: "***" }, headers: { cookie: "***" }, tags: ["vip", "token=***"] },
  });
  expect(shownCargo(cargo, showValue(true))).toEqual(cargo);
  const { tags, ...rest } = cargo;
  expect(shownCargo(rest, showValue(false))).not.toHaveProperty("tags");
});

test("errors, reasons and notes that were written before they were masked are masked when shown", () => {
  const show = showValue(false, createMask({ patterns: [/\bEMP-\d+/u] }));
  const record: HistoryRecord = {
    id: "password=x",
    name: "n",
    queue: "q",
    state: "requeued",
    outcome: "failed",
    attempts: 1,
    generation: 0,
    node: "n",
    at: 1,
    output: { token: "t", of: "EMP-1" },
    error: { type: "token=t", message: "password=x", stack: "Error: password=x" },
    reason: "token=t",
  };
  expect(shownRecord(record, show)).toEqual({
    ...record,
    output: { token: "***", of: "***" },
    error: { type: "token=***", message: "password=***", stack: "Error: password=***" },
    reason: "token=***",
  });
  expect(shownRecord(record, showValue(true))).toEqual(record);
  const report = { at: 1, node: "n", attempt: 1, value: 1, note: "for EMP-7" };
  expect(shownReport(report, show)).toEqual({ ...report, note: "for ***" });
});
