import type { StandardSchemaV1 } from "@standard-schema/spec";
import { describe, expect, test } from "vitest";
import { type Schema, validate } from "./schema.ts";

type Result = StandardSchemaV1.Result<unknown>;

function schemaOf(answer: (value: unknown) => Result | Promise<Result>): Schema<unknown, unknown> {
  return { "~standard": { version: 1, vendor: "test", validate: answer } };
}

const issues = (...list: readonly StandardSchemaV1.Issue[]): Result => ({ issues: list });

describe("validate", () => {
  test("a synchronous schema is answered synchronously, with the value it gives back", () => {
    expect(
      validate(
        schemaOf((value) => ({ value: `<${String(value)}>` })),
        7,
        "invalid-payload",
        "The payload",
      ),
    ).toBe("<7>");
    expect(() =>
      validate(
        schemaOf(() => issues({ message: "no" })),
        7,
        "invalid-payload",
        "The payload",
      ),
    ).toThrow(expect.objectContaining({ code: "invalid-payload" }));
  });

  test("an asynchronous one by a promise", async () => {
    await expect(
      validate(
        schemaOf(async () => ({ value: 1 })),
        7,
        "invalid-output",
        "The result",
      ),
    ).resolves.toBe(1);
    await expect(
      validate(
        schemaOf(async () => issues({ message: "no" })),
        7,
        "invalid-output",
        "The result",
      ),
    ).rejects.toMatchObject({
      code: "invalid-output",
      message: "The result does not satisfy its schema: no.",
    });
  });

  test("the message names each field, up to five, whatever form a path has", () => {
    const path = [{ key: "list" }, 3, Symbol("s"), "to"];
    const many = Array.from({ length: 7 }, (_, index) => ({ message: "no", path: [`f${index}`] }));
    expect(() =>
      validate(
        schemaOf(() => issues({ message: "no address", path })),
        {},
        "invalid-payload",
        "The payload of mail.welcome",
      ),
    ).toThrow(
      "The payload of mail.welcome does not satisfy its schema: list.3.Symbol(s).to: no address.",
    );
    expect(() =>
      validate(
        schemaOf(() => issues(...many)),
        {},
        "invalid-payload",
        "The payload",
      ),
    ).toThrow("f0: no; f1: no; f2: no; f3: no; f4: no (and 2 more).");
  });

  test("the message never holds the value, nor anything of the error but text", () => {
    const schema = schemaOf(() => issues({ message: "must be a string", path: ["password"] }));
    const message = messageOf(() =>
      validate(schema, { password: { secret: "s3cr3t" } }, "invalid-payload", "The payload"),
    );
    expect(message).toContain("password: must be a string");
    expect(message).not.toContain("s3cr3t");
  });
});

function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return JSON.stringify(error, Object.getOwnPropertyNames(error));
  }
  throw new Error("nothing was thrown");
}
