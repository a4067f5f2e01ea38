import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { decodeBody, encodeMsgpack } from "./body.ts";

const STRICT = { maxValues: 100_000, exact: true, wellFormed: true };
const arrived = (payload: unknown): unknown =>
  (decodeBody(encodeMsgpack({ payload }, STRICT), undefined) as { payload: unknown }).payload;

class Money {
  readonly #cents: number;
  readonly currency = "EUR";
  constructor(cents: number) {
    this.#cents = cents;
  }
  toJSON(key: string): string {
    return `${key}:${this.#cents / 100}`;
  }
}
class Address {
  readonly city = "Ulm";
  readonly zip = undefined;
  get label(): string {
    return `in ${this.city}`;
  }
}
class Secretive {
  readonly #city = "Ulm";
  where(): string {
    return this.#city;
  }
}
class Rows extends Array<number> {
  toJSON(): string {
    return `${this.length} rows`;
  }
}
class Sparse extends Array<number> {}
const HOLES: unknown[] = [undefined];
HOLES[2] = 1;
const ENDS_IN_HOLES: unknown[] = [1];
ENDS_IN_HOLES.length = 3;
const HIDDEN = Object.defineProperty({ a: 1, [Symbol("s")]: 2 }, "b", { value: 3 });
const cycle: { list: unknown[] } = { list: [] };
cycle.list.push({ back: cycle });
const elsewhere = (code: string): unknown => runInNewContext(code);

describe("what arrives as JSON.stringify would say it", () => {
  test.each<[string, unknown, unknown]>([
    ["a URL", { at: new URL("https://example.com/a?b=1") }, { at: "https://example.com/a?b=1" }],
    ["an object with toJSON, told its key", { price: new Money(250) }, { price: "price:2.5" }],
    ["one in a list, told its place", [1, new Money(250)], [1, "1:2.5"]],
    ["a plain object with toJSON", { a: { b: 1, toJSON: () => [2] } }, { a: [2] }],
    ["a toJSON that gives nothing", { a: { toJSON: () => undefined }, b: 1 }, { b: 1 }],
    ["a list with toJSON", { rows: Rows.from([1, 2]) }, { rows: "2 rows" }],
    ["an instance's own fields", { to: new Address() }, { to: { city: "Ulm" } }],
    ["a boxed number", { n: new Number(3), t: new String("x") }, { n: 3, t: "x" }],
    ["undefined and holes", { a: undefined, l: HOLES }, { l: [null, null, 1] }],
    ["holes at the end", { l: ENDS_IN_HOLES }, { l: [1, null, null] }],
    [
      "what an object hides",
      { o: HIDDEN, l: Object.assign([1], { [Symbol("s")]: 2 }) },
      { o: { a: 1 }, l: [1] },
    ],
  ])("%s", (_what, payload, expected) => {
    expect(arrived(payload)).toEqual(expected);
    expect(JSON.parse(JSON.stringify({ payload }))).toEqual({
      payload: JSON.parse(JSON.stringify(expected)),
    });
  });

  test("a bigint, where the program has given bigints a toJSON", () => {
    const big = BigInt.prototype as { toJSON?: () => string };
    big.toJSON = function (this: bigint) {
      return String(this);
    };
    try {
      expect(arrived({ n: 2n ** 70n })).toEqual({ n: "1180591620717411303424" });
    } finally {
      delete big.toJSON;
    }
  });
});

test("a date that a toJSON gives is a date", () => {
  expect(arrived({ a: { toJSON: () => new Date(7) } })).toEqual({ a: new Date(7) });
});

test("dates, bytes, NaN and infinities arrive as they are, also of another realm", () => {
  const given = {
    at: new Date(1_700_000_000_123),
    raw: new Uint8Array([0, 255]),
    n: [NaN, -Infinity],
  };
  expect(arrived(given)).toEqual(given);
  expect(arrived({ raw: Buffer.from("hi") })).toEqual({ raw: new Uint8Array([104, 105]) });
  expect(
    arrived(elsewhere("({ at: new Date(5), o: {}, l: [[]], n: Object.create(null) })")),
  ).toEqual({ at: new Date(5), o: {}, l: [[]], n: {} });
});

test("what is sent is left as it was", () => {
  const given = Object.freeze({ list: Object.freeze([new URL("https://a.example"), 1]) });
  expect(arrived(given)).toEqual({ list: ["https://a.example/", 1] });
  expect(given.list[0]).toBeInstanceOf(URL);
});

describe("what would be altered or lost is refused, with its place", () => {
  test.each<[string, unknown, string]>([
    ["a Map", { a: [new Map()] }, "payload.a[0] is a Map"],
    ["a Set of another realm", { a: elsewhere("new Set([1])") }, "payload.a is a Set"],
    ["an Error", { why: new TypeError("no") }, "payload.why is an Error"],
    ["an Error of another realm", elsewhere("new Error('no')"), "payload is an Error"],
    ["a RegExp", { filter: /a/ }, "payload.filter is a RegExp"],
    ["a Promise", { user: Promise.resolve(1) }, "payload.user is a Promise; await it"],
    ["URLSearchParams", { q: new URLSearchParams("a=1") }, "payload.q is a URLSearchParams"],
    ["an instance without fields", { s: new Secretive() }, "payload.s is a Secretive"],
    ["what only its prototype has", Object.create({ a: 1 }), "payload is an Object"],
    ["an ArrayBuffer", { raw: new ArrayBuffer(2) }, "payload.raw is an ArrayBuffer"],
    ["floats", { v: new Float64Array(2) }, "payload.v is a Float64Array"],
    ["a DataView", { v: new DataView(new ArrayBuffer(2)) }, "payload.v is a DataView"],
    ["an invalid date", { at: new Date(NaN) }, "payload.at is an invalid Date"],
    ["a function", { a: { run: () => 1 } }, "payload.a.run is a function"],
    ["a symbol", [Symbol("s")], "payload[0] is a symbol"],
    ["a bigint", { n: 1n }, "payload.n is a bigint"],
    ["an integer beyond 2^53", { n: 2 ** 60 }, "payload.n is a whole number beyond 2^53"],
    ["a cycle", cycle, "payload.list[0].back holds itself"],
    ["half a character", { name: "a\ud800" }, "payload.name has half a character"],
    ["half a character in a long text", `${"x".repeat(40)}\udc00`, "payload has half"],
    ["half a character in a key", { a: { "\ud800": 1 } }, "payload.a has a key with half"],
    ["a key that reaches a prototype", JSON.parse('{"a":{"__proto__":1}}'), "payload.a has a key"],
    ["a toJSON that throws", { a: { toJSON: () => JSON.parse("secret") } }, "toJSON of payload.a"],
    ["what a match has", { found: /l(m)/.exec("Ulm") }, 'payload.found is a list with a field "'],
    ["a field of a list", { l: [[], Object.assign([1, 2], { a: 1 })] }, "payload.l[1] is a list"],
    ["a field of a list with holes", Object.assign(HOLES.slice(0, 1), { "01": 1 }), 'field "01"'],
    [
      "a field of an empty list",
      Object.assign([], { "-1": 1 }),
      'payload is a list with a field "-1"',
    ],
    [
      "a field of a class of lists",
      { l: Object.assign(new Sparse(2), { a: 1 }) },
      "payload.l is a",
    ],
    ["what a toJSON gives", { a: { toJSON: () => [new Set()] } }, "payload.a[0] is a Set"],
  ])("%s", (_what, payload, message) => {
    expect(() => arrived(payload)).toThrow(
      expect.objectContaining({
        code: "unserializable-payload",
        message: expect.stringContaining(message) as string,
      }),
    );
    expect(() => arrived(payload)).not.toThrow("secret");
  });

  test("a nesting of cycles is refused at once, however wide", () => {
    const wide: Record<string, unknown> = {};
    for (let n = 0; n < 8; n += 1) wide[`k${n}`] = { wide };
    expect(() => encodeMsgpack(wide)).toThrow("k0.wide holds itself");
  });
});

test("text with half a character that was read is written again all the same", () => {
  expect(decodeBody(encodeMsgpack({ a: "\ud800" }), undefined)).toEqual({ a: "\ufffd" });
});
