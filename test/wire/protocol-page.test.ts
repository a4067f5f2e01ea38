import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { type Envelope, readEnvelope, UNSETTLED, writeEnvelope } from "@millrace/core";
import { describe, expect, it } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const page = readFileSync(resolve(ROOT, "docs/wire-protocol.md"), "utf8");
const blocks = [...page.matchAll(/<!-- file: (\S+) -->\n\n?```\w+\n(.*?)```/gs)].map(
  ([, file = "", code = ""]) => ({ file, code }),
);
const golden = [...page.matchAll(/^\| `(\{.*\})`\s*\| `([0-9a-f]+)`\s*\|$/gm)].map(
  ([, json = "", hex = ""]) => ({ json, hex }),
);

describe("docs/wire-protocol.md", () => {
  it("shows a producer in each language", () => {
    expect(blocks.map(({ file }) => file.split("/")[3])).toEqual([
      "shell",
      "python",
      "javascript",
      "go",
      "java",
      "rust",
    ]);
  });

  it.each(blocks)("shows $file as it is", ({ file, code }) => {
    expect(code).toBe(readFileSync(resolve(ROOT, file), "utf8"));
  });

  it("has a minimal and a full envelope", () => {
    expect(golden).toHaveLength(2);
  });

  it.each(golden)("golden bytes of $json", ({ json, hex }) => {
    const envelope: Envelope = { ...UNSETTLED, queue: "q", headers: {}, ...withoutVersion(json) };
    expect(Buffer.from(writeEnvelope(envelope)).toString("hex")).toBe(hex);
    expect(Buffer.from(writeEnvelope(envelope, "json")).toString()).toBe(json);
    for (const body of [Buffer.from(hex, "hex"), Buffer.from(json)]) {
      const message = {
        queue: "q",
        origin: "producer",
        body,
        headers: {},
        sequence: 1,
        storedAt: 1,
      } as const;
      expect(readEnvelope(message)).toEqual({
        ok: true,
        // A producer's door says who wrote it.
        envelope: { ...envelope, sentFrom: "q" },
        values: expect.any(Number) as number,
      });
    }
  });

  it("names every field of the body", () => {
    const error = { type: "t", message: "m" };
    const settled: Envelope = {
      ...UNSETTLED,
      queue: "q",
      headers: {},
      ...withoutVersion(golden[1]?.json ?? ""),
      attempts: 1,
      generation: 1,
      interruptions: 1,
      crashes: 1,
      snoozes: 1,
      firstError: error,
      lastError: error,
    };
    const fields = Object.keys(
      JSON.parse(Buffer.from(writeEnvelope(settled, "json")).toString()) as object,
    );
    expect(fields).toHaveLength(19);
    for (const field of fields) expect(page).toContain(`\`${field}\``);
  });
});

function withoutVersion(json: string): Pick<Envelope, "id" | "name" | "payload" | "createdAt"> {
  const { v: _version, ...fields } = JSON.parse(json) as Envelope & { readonly v: number };
  return fields;
}
