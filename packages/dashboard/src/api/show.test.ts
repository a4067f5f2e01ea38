import { createMask, showValue } from "@millrace/telemetry/masking";
import { expect, test } from "vitest";
import { operationView } from "./show.ts";

const OPERATION = {
  ...{ id: "op", kind: "dead-retry", by: "ada", at: 1, total: 1, done: 1, gone: 0, failed: 0 },
  ...{ failures: [], progress: { state: "done", at: 2 } as const },
};

test("a viewer does not see what an operation asked of a secret's field", () => {
  const show = showValue(false, createMask({ keys: ["iban"] }));
  const where = "payload.iban:DE89 -payload.password:opensesame state:dead";
  const operation = { ...OPERATION, filter: { queue: "mail", where } };
  expect(operationView(operation, show).filter).toEqual({
    ...{ queue: "mail", where: "payload.iban:*** -payload.password:*** state:dead" },
  });
});
