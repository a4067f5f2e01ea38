import { describe, expect, test } from "vitest";
import { errorFields, ownFields } from "../errors/error-fields.ts";
import { plainJson } from "../schedule/plain-json.ts";
import { encodeJson, encodeMsgpack } from "./body.ts";

const MAX_VALUES = 1_000;
const RULES = { maxValues: MAX_VALUES, exact: true, wellFormed: true };
const FIELDS = 50_000;

/** Counts what is read of a value: its keys, and each of its fields. */
function counted<T extends object>(target: T, length?: number) {
  const reads = { count: 0 };
  const read =
    <A extends unknown[], R>(how: (...given: A) => R, weight = 1) =>
    (...given: A): R => {
      reads.count += weight;
      return how(...given);
    };
  const proxy = new Proxy(target, {
    get: read((held, key) =>
      key === "length" && length !== undefined ? length : (Reflect.get(held, key) as unknown),
    ),
    // A list's keys are made for who asks for them: a text for each entry.
    ownKeys: read((held) => Reflect.ownKeys(held), length ?? 1),
    getOwnPropertyDescriptor: read((held, key) => Reflect.getOwnPropertyDescriptor(held, key)),
  });
  return { proxy, reads };
}

const fields = (): Record<string, number> =>
  Object.fromEntries(Array.from({ length: FIELDS }, (_, n) => [`f${n}`, n]));
class Row {
  readonly id = 1;
}
/** Not plain, so that all around it would be copied. */
const converts = { toJSON: () => 1 };

describe.each([
  ["msgpack", encodeMsgpack],
  ["json", encodeJson],
] as const)(
  "%s: a value with more than may be sent is refused before it is read through",
  (_format, encode) => {
    test.each<[string, object, number?]>([
      ["a list of millions", [], 5_000_000],
      ["a map", fields()],
      ["an object of a class", Object.assign(new Row(), fields())],
      ["a map whose first field has a toJSON", { converts, ...fields() }],
    ])("%s", (_what, target, length) => {
      const { proxy, reads } = counted(target, length);
      for (const value of [proxy, { rows: proxy }, [1, [proxy]]]) {
        reads.count = 0;
        expect(() => encode(value, RULES)).toThrow(
          expect.objectContaining({ code: "payload-too-large" }),
        );
        expect(reads.count).toBeLessThan(8 * MAX_VALUES);
      }
    });
  },
);

test("a schedule's input of millions is refused before it is read through", () => {
  for (const [target, length] of [[[], 5_000_000], [fields()]] as const) {
    const { proxy, reads } = counted<object>(target, length);
    expect(() => plainJson({ rows: proxy }, "input")).toThrow(
      expect.objectContaining({
        code: "invalid-schedule",
        message: expect.stringMatching(/values/),
      }),
    );
    expect(reads.count).toBeLessThan(40_000);
  }
});

test("of an error's field with very many parts the first are read", () => {
  const { proxy, reads } = counted(fields());
  expect(ownFields({ rows: proxy, [errorFields]: ["rows"] })).toBeDefined();
  expect(reads.count).toBeLessThan(500);
});
