import { encode } from "@msgpack/msgpack";
import type { DeadReason } from "@millrace/core";

/** A message that no node can run, and what must become of it. */
export interface BadMessage {
  readonly title: string;
  readonly body: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  readonly reason: DeadReason;
  readonly error: RegExp;
  /**
   * Where the message has an id that can be used; else it is filed under its place in the stream.
   */
  readonly id?: string;
}

/** The job the bad ones stand beside: its payload must be a map with a text `to`. */
export const JOB_NAME = "bad.strict";
export const GOOD = { name: JOB_NAME, payload: { to: "ada" } };

const text = (value: string): Uint8Array => Buffer.from(value, "utf8");
const json = (value: object): Uint8Array => text(JSON.stringify(value));
const hex = (value: string): Uint8Array => Buffer.from(value, "hex");
const times = (value: string, count: number): string => value.repeat(count);

/** `{"name": …, "payload": <as given>}` in msgpack. */
const withPayload = (payload: Uint8Array): Uint8Array =>
  Buffer.concat([hex("82"), encode("name"), encode(JOB_NAME), encode("payload"), payload]);
const jsonPayload = (payload: string): Uint8Array =>
  text(`{"name":"${JOB_NAME}","payload":${payload}}`);

const undecodable: readonly BadMessage[] = (
  [
    ["an empty body", new Uint8Array(0), /empty/],
    ["a byte that msgpack never uses", hex("c1"), /decode/],
    ["a msgpack map that is cut off", encode(GOOD).slice(0, -3), /decode/],
    ["a msgpack map with something behind it", Buffer.concat([encode(GOOD), hex("c0")]), /decode/],
    ["JSON that is cut off", json(GOOD).slice(0, -3), /valid JSON/],
    ["JSON that is no UTF-8", Buffer.concat([text('{"name":"'), hex("ff"), text('"}')]), /UTF-8/],
    ["a msgpack list", encode([1, 2]), /no map/],
    ["a msgpack integer", encode(42), /no map/],
    ["a msgpack string", encode("job"), /no map/],
    ["a msgpack nil", encode(null), /no map/],
    ["a msgpack timestamp", encode(new Date(0)), /no map/],
    ["msgpack bytes", encode(new Uint8Array(9)), /no map/],
    [
      "a short list that claims 33 million entries, ten times over",
      hex(times("dd01ffffff", 10)),
      /claims more/,
    ],
    [
      "a list of lists that claim 65,535 entries each",
      hex(times("dcffff", 50_000)),
      /100000 values/,
    ],
    ["a map that claims four billion entries", hex("dfffffffff"), /decode/],
    ["a string that claims four gigabytes", hex("dbffffffff"), /decode/],
    [
      "10,000 levels of msgpack lists",
      withPayload(hex(`${times("91", 10_000)}c0`)),
      /deeper than 64/,
    ],
    [
      "10,000 levels of msgpack maps",
      withPayload(hex(`${times("81a16b", 10_000)}c0`)),
      /deeper than 64/,
    ],
    ["900,000 levels of msgpack lists, cut off", hex(times("9f", 900_000)), /decode/],
    [
      "10,000 levels of JSON lists",
      jsonPayload(`${times("[", 10_000)}${times("]", 10_000)}`),
      /deeper than 64/,
    ],
    [
      "10,000 levels of JSON maps",
      jsonPayload(`${times('{"k":', 10_000)}1${times("}", 10_000)}`),
      /deeper than 64/,
    ],
    [
      "__proto__ in a msgpack payload",
      withPayload(hex(`81${Buffer.from(encode("__proto__")).toString("hex")}80`)),
      /__proto__/,
    ],
    [
      "__proto__ beside the msgpack fields",
      hex(`81${Buffer.from(encode("__proto__")).toString("hex")}80`),
      /__proto__/,
    ],
    [
      "__proto__ in a JSON payload",
      jsonPayload('{"to":"ada","__proto__":{"admin":true}}'),
      /__proto__/,
    ],
    [
      "__proto__ deep in a JSON payload",
      jsonPayload('{"to":"ada","a":[{"__proto__":1}]}'),
      /__proto__/,
    ],
    [
      "__proto__ beside the JSON fields",
      text(`{"__proto__":{"name":"${JOB_NAME}","payload":{}}}`),
      /__proto__/,
    ],
    [
      "__proto__ in JSON, escaped",
      jsonPayload('{"to":"ada","\\u005f_proto\\u005f_":{}}'),
      /__proto__/,
    ],
    ["a list of a million empty maps", hex(`dd000f4240${times("80", 1_000_000)}`), /100000 values/],
    [
      "100,000 maps that each have a key of their own",
      withPayload(
        Buffer.concat([
          hex("dd000186a0"),
          ...Array.from({ length: 100_000 }, (_, i) => encode({ [i.toString(36)]: 1 })),
        ]),
      ),
      /100000 values/,
    ],
    ["a million small texts", hex(`dd000e7ef0${times("a0", 950_000)}`), /100000 values/],
    ["JSON of 300,000 empty maps", jsonPayload(`[${times("{},", 300_000)}{}]`), /100000 values/],
    ["JSON of 200,000 keys", jsonPayload(`{${times('"":0,', 200_000)}"":0}`), /100000 values/],
    [
      "an integer of 64 bits beyond 2^53",
      withPayload(hex("82a2746fa161a26964cf0020000000000001")),
      /payload\.id is a whole number beyond 2\^53/,
    ],
    [
      "an integer beyond 2^53 in JSON",
      jsonPayload('{"to":"a","ids":[1,-9007199254740993]}'),
      /payload\.ids\[1\] is a whole number beyond 2\^53/,
    ],
    [
      "a number in JSON that is beyond all",
      jsonPayload('{"to":"a","n":1e400}'),
      /payload\.n is beyond/,
    ],
  ] as const
).map(([title, body, error]) => ({ title, body, error, reason: "undecodable" }));

const declared: readonly BadMessage[] = [
  {
    title: "a JSON list that is declared JSON",
    body: text("[1]"),
    headers: { "Content-Type": "application/json" },
    reason: "undecodable",
    error: /no map/,
  },
  {
    title: "a JSON string that is declared JSON",
    body: text('"job"'),
    headers: { "Content-Type": "application/json" },
    reason: "undecodable",
    error: /no map/,
  },
  {
    title: "JSON null that is declared JSON",
    body: text("null"),
    headers: { "Content-Type": "application/json" },
    reason: "undecodable",
    error: /no map/,
  },
  {
    title: "msgpack that is declared JSON",
    body: encode(GOOD),
    headers: { "Content-Type": "application/json" },
    reason: "undecodable",
    error: /valid JSON/,
  },
  {
    title: "JSON that is declared msgpack",
    body: json(GOOD),
    headers: { "Content-Type": "application/msgpack" },
    reason: "undecodable",
    error: /decode/,
  },
];

/** Each field with values it can't have. */
const WRONG: Readonly<Record<string, readonly unknown[]>> = {
  name: [undefined, null, 7, "", "white space", "a..b", ".a", "x".repeat(129), ["a"], { a: 1 }],
  payload: [undefined],
  id: [7, "", "with.dot", "with space", "ümlaut", "x".repeat(129), {}],
  v: [0, -1, 1.5, "1", true, []],
  createdAt: ["now", -1, 1.5, true, 2 ** 53, 1_764_000_000_000_000],
  notBefore: ["2030-01-01", -1, 1.5, {}, 2 ** 53, 1_764_000_000_000_000],
  expiresAt: ["2030-01-01", -1, 1.5, [], 2 ** 53, 1_764_000_000_000_000],
  maxAttempts: [0, -1, 1.5, "3", 2 ** 53],
  timeoutMs: [0, -1, 1.5, "30s", 2 ** 53],
  uniqueKey: [7, {}, "x".repeat(1_025)],
  concurrencyKey: [7, {}, "x".repeat(1_025)],
  tags: ["vip", [7], { 0: "vip" }, ["x".repeat(1_025)]],
};

const wrongFields: readonly BadMessage[] = Object.entries(WRONG).flatMap(([field, values]) =>
  values.flatMap((value, index) =>
    (["msgpack", "JSON"] as const).map((format): BadMessage => {
      const id = field === "id" ? undefined : `wrong-${field}-${index}-${format}`;
      const job: Record<string, unknown> = {
        ...GOOD,
        ...(id === undefined ? {} : { id }),
        [field]: value,
      };
      if (value === undefined) delete job[field];
      if (format === "JSON" && typeof value === "number" && value > Number.MAX_SAFE_INTEGER)
        return {
          title: `${field}: ${value}, in JSON`,
          body: json({ ...GOOD, [field]: value }),
          reason: "undecodable",
          error: new RegExp(`${field} is a whole number beyond 2\\^53`),
        };
      const shown = value === undefined ? "missing" : JSON.stringify(value).slice(0, 40);
      return {
        title: `${field}: ${shown} (${index}), in ${format}`,
        body: format === "msgpack" ? encode(job) : json(job),
        reason: "invalid-envelope",
        error: new RegExp(`^${field} must be`),
        ...(id === undefined ? {} : { id }),
      };
    }),
  ),
);

const refused: readonly BadMessage[] = [
  {
    title: "a bad id in the header alone",
    body: json(GOOD),
    headers: { "Nats-Msg-Id": "no good/id" },
    reason: "invalid-envelope",
    error: /^id must be .*Nats-Msg-Id/,
  },
  {
    title: "an id in the header that is far too long",
    body: json(GOOD),
    headers: { "Nats-Msg-Id": "x".repeat(5_000) },
    reason: "invalid-envelope",
    error: /^id must be/,
  },
  {
    title: "a future version",
    body: encode({ ...GOOD, v: 2, id: "future" }),
    id: "future",
    reason: "unsupported-version",
    error: /version 2/,
  },
  {
    title: "a future version whose fields mean something else",
    body: json({ v: 99, id: "far-future", job: [1] }),
    id: "far-future",
    reason: "unsupported-version",
    error: /version 99/,
  },
  {
    title: "an unknown name",
    body: encode({ name: "bad.nobody", payload: null, id: "nobody" }),
    id: "nobody",
    reason: "unknown-name",
    error: /bad\.nobody/,
  },
  {
    title: "a name of the language's own",
    body: encode({ name: "constructor", payload: null, id: "ctor" }),
    id: "ctor",
    reason: "unknown-name",
    error: /constructor/,
  },
  {
    title: "a payload the schema refuses",
    body: json({ ...GOOD, payload: { to: 7 }, id: "schema" }),
    id: "schema",
    reason: "invalid-payload",
    error: /to: /,
  },
  {
    title: "a payload of another type",
    body: encode({ ...GOOD, payload: "ada", id: "schema-2" }),
    id: "schema-2",
    reason: "invalid-payload",
    error: /schema/,
  },
  {
    title: "an expired job",
    body: encode({ ...GOOD, expiresAt: 1, id: "expired" }),
    id: "expired",
    reason: "expired",
    error: /1970/,
  },
  {
    title: "an expired job that was to start later",
    body: encode({ ...GOOD, notBefore: Date.now() + 3_600_000, expiresAt: 1, id: "expired-2" }),
    id: "expired-2",
    reason: "expired",
    error: /1970/,
  },
];

/** The year 9999: a producer could park jobs there for ever. */
const parked: readonly BadMessage[] = [253_400_000_000_000, Date.now() + 400 * 86_400_000].map(
  (notBefore, index) => ({
    title: `a start too far ahead (${index})`,
    body: json({ ...GOOD, notBefore, id: `far-ahead-${index}` }),
    id: `far-ahead-${index}`,
    reason: "invalid-envelope",
    error: /^notBefore must be at most 366d ahead/,
  }),
);

export const BAD_MESSAGES: readonly BadMessage[] = [
  ...undecodable,
  ...declared,
  ...wrongFields,
  ...refused,
  ...parked,
];
