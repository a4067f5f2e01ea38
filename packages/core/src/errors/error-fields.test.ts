import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeMsgpack } from "../envelope/body.ts";
import { decodeBody } from "../envelope/body.ts";
import { errorFields, giveFields, mapTexts, ownFields } from "./error-fields.ts";
import { MillraceError } from "./millrace-error.ts";
import { recordError, recordFailure } from "./recorded-error.ts";

class PaymentDeclined extends Error {
  static readonly [errorFields]: readonly string[] = ["code", "customer", "message", "gone"];
  override readonly name = "PaymentDeclined";
  readonly code = "card_declined";
  readonly customer = { id: 7, since: new Date(0), card: "4111" };
  readonly request = { authorization: "Bearer abc" };
}

class Blocked extends PaymentDeclined {}

test("what a class names is kept, of its subclasses too; nothing else is", () => {
  const fields = {
    code: "card_declined",
    customer: { id: 7, since: new Date(0).toJSON(), card: "4111" },
  };
  expect(recordFailure(new PaymentDeclined("no"))).toEqual({
    ...recordError(new PaymentDeclined("no")),
    stack: expect.any(String) as string,
    fields,
  });
  expect(recordFailure(new Blocked("no")).fields).toEqual(fields);
  expect(recordError(new PaymentDeclined("no"))).not.toHaveProperty("fields");
});

test("one error may name its own, and an error that names none has none", () => {
  const foreign = Object.assign(new Error("no"), { status: 402, [errorFields]: ["status"] });
  expect(recordFailure(foreign).fields).toEqual({ status: 402 });
  for (const thrown of [Object.assign(new Error("no"), { code: 1 }), "text", null, { code: 1 }])
    expect(recordFailure(thrown)).not.toHaveProperty("fields");
  expect(recordFailure(new MillraceError("queue-full", "full"))).not.toHaveProperty("fields");
});

test("they are bounded: what no longer fits is left out, and a long text is cut", () => {
  const long = "x".repeat(10_000);
  const names = Array.from({ length: 20 }, (_, at) => `f${at}`);
  const error = Object.assign(
    new Error("no"),
    Object.fromEntries(names.map((name) => [name, long])),
  );
  const fields = ownFields(Object.assign(error, { [errorFields]: names })) ?? {};
  expect(Object.keys(fields)).toEqual(["f0", "f1", "f2"]);
  expect(String(fields["f0"])).toMatch(/^x{255}…$/);
  const many = Object.assign(new Error("no"), {
    all: Array(1_000).fill(0),
    [errorFields]: ["all"],
  });
  expect(JSON.stringify(ownFields(many)).length).toBeLessThan(400);
});

test("a getter that throws, and what is no data, costs that field alone", () => {
  const circular: Record<string, unknown> = {};
  circular["self"] = circular;
  const error = Object.assign(new Error("no"), {
    call: () => 1,
    circular,
    big: 10n,
    wide: 2 ** 60,
    bytes: new Uint8Array(3),
    [errorFields]: ["call", "thrown", "circular", "big", "wide", "bytes", 7, "__proto__"],
  });
  Object.defineProperty(error, "thrown", {
    get: () => {
      throw new Error("from a getter");
    },
  });
  expect(ownFields(error)).toEqual({
    circular: { self: { self: {} } },
    ...{ big: "10", wide: "1152921504606847000", bytes: "(3 bytes)" },
  });
  expect(ownFields(Object.assign(new Error("no"), { [errorFields]: "code" }))).toBeUndefined();
});

test("whatever they hold, every decoder takes them, and they stay within their bound (property)", () => {
  fc.assert(
    fc.property(fc.object({ withBigInt: true, withDate: true, withMap: true }), (given) => {
      const error = Object.assign(new Error("no"), { given, [errorFields]: ["given"] });
      const fields = ownFields(error) ?? {};
      expect(Buffer.byteLength(JSON.stringify(fields))).toBeLessThanOrEqual(1_024);
      expect(decodeBody(encodeMsgpack(fields), undefined)).toEqual(fields);
    }),
  );
});

test("a zero has no sign", () => {
  const error = Object.assign(new Error("no"), { balance: -0, [errorFields]: ["balance"] });
  expect(ownFields(error)).toEqual({ balance: 0 });
});

test("texts of them can be masked, and an error gets them back", () => {
  const masked = mapTexts({ a: "secret", b: [{ c: "secret" }], n: 1 }, () => "***");
  expect(masked).toEqual({ a: "***", b: [{ c: "***" }], n: 1 });
  const error = new Error("no");
  giveFields(error, { code: "c", message: "other" });
  expect(error).toMatchObject({ message: "no", code: "c" });
  expect(recordFailure(error).fields).toEqual({ code: "c" });
});
