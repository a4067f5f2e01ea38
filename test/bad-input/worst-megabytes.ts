import { encode } from "@msgpack/msgpack";

/** A megabyte that takes as much memory as it can in a node that reads it. */
export interface WorstMegabyte {
  readonly title: string;
  readonly body: Uint8Array;
  /** Of the message, as it goes over the wire. */
  readonly headerBlock?: string;
  /**
   * What becomes of it. Those that run do so twice: the first attempt fails, so that they are
   * written again.
   */
  readonly ends: "runs" | "dead";
}

export const WORST_NAME = "worst";
/** What a queue takes, less the headers and what a retry adds. */
const ROOM = 1_020_000;
const hex = (digits: string): Uint8Array => Buffer.from(digits, "hex");
const payload = (value: Uint8Array): Uint8Array =>
  Buffer.concat([hex("82"), encode("name"), encode(WORST_NAME), encode("payload"), value]);
const many = (count: number, entry: (i: number) => Uint8Array): Uint8Array =>
  Buffer.concat([
    hex(`dd${count.toString(16).padStart(8, "0")}`),
    ...Array.from({ length: count }, (_, i) => entry(i)),
  ]);
const key = (i: number): string => i.toString(36);
const text = (value: string): Uint8Array => Buffer.from(value);
const json = (value: string): Uint8Array => text(`{"name":"${WORST_NAME}","payload":${value}}`);
const dead = (title: string, body: Uint8Array): WorstMegabyte => ({ title, body, ends: "dead" });
const runs = (title: string, body: Uint8Array): WorstMegabyte => ({ title, body, ends: "runs" });
const empty = Uint8Array.of(0x80);

/** Each filled with bytes up to a megabyte where its values leave room. */
const filled = (value: Uint8Array): Uint8Array =>
  payload(
    Buffer.concat([hex("92"), value, encode(new Uint8Array(Math.max(0, ROOM - value.length)))]),
  );

export const WORST_MEGABYTES: readonly WorstMegabyte[] = [
  dead("a million empty maps", payload(many(1_000_000, () => empty))),
  dead("a million empty lists", payload(many(1_000_000, () => Uint8Array.of(0x90)))),
  dead("a million nulls", payload(many(1_000_000, () => Uint8Array.of(0xc0)))),
  dead("lists in lists", payload(many(16_000, () => hex(`${"91".repeat(61)}90`)))),
  dead("maps with a key of their own", payload(many(150_000, (i) => encode({ [key(i)]: 1 })))),
  dead("JSON of empty maps", json(`[${"{},".repeat(330_000)}{}]`)),
  dead("JSON of short keys", json(`{${'"":0,'.repeat(200_000)}"":0}`)),
  dead("JSON of half a million zeros", json(`[${"0,".repeat(500_000)}0]`)),
  dead("extensions", payload(many(300_000, () => hex("d40501")))),
  {
    // JetStream takes 64 KiB of headers.
    ...dead("six thousand headers", text('{"name":"worst","payload":1}')),
    headerBlock: Array.from({ length: 6_000 }, (_, i) => `X${key(i)}: 1`).join("\r\n"),
  },
  runs("as many empty maps as may be", filled(many(99_980, () => empty))),
  runs("maps in maps, with keys of their own", filled(many(19_990, (i) => nested(i)))),
  runs("as many views of bytes as may be", filled(many(99_980, () => hex("c400")))),
  runs("as many times as may be", filled(many(99_980, () => hex("d6ff00000001")))),
  runs("lists as deep as may be", filled(many(1_600, () => hex(`${"91".repeat(59)}90`)))),
  runs("a text beyond Latin", payload(encode("é€".repeat(200_000)))),
  runs("numbers", payload(encode(Array.from({ length: 99_980 }, (_, i) => i + 0.5)))),
  runs("JSON of a long text", json(`"${"\\u20ac".repeat(160_000)}"`)),
];

function nested(i: number): Uint8Array {
  return encode({ [key(i)]: { [key(i + 1)]: 1 } });
}
