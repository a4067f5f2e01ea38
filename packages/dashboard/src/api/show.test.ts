import { createMask, showValue } from "@millrace/telemetry/masking";
import { expect, test } from "vitest";
import { shownFilter } from "./show.ts";

test("a viewer does not see what an operation asked of a secret's field", () => {
  const show = showValue(false, createMask({ keys: ["iban"] }));
  const where = "payload.iban:DE89 -payload.password:opensesame state:dead";
  expect(shownFilter({ queue: "mail", where }, show)).toEqual({
    ...{ queue: "mail", where: "payload.iban:*** -payload.password:*** state:dead" },
  });
});
