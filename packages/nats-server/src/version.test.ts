import { describe, expect, it } from "vitest";
import { parseServerVersion, satisfies, standsIn } from "./version.ts";

describe("parseServerVersion", () => {
  it.each([
    ["nats-server: v2.15.2\n", "2.15.2"],
    ["nats-server: v2.12.0-RC.1", "2.12.0-RC.1"],
    ["nats-server: 2.10.29", "2.10.29"],
    ["usage: something else", undefined],
  ])("reads %j as %s", (output, version) => {
    expect(parseServerVersion(output)).toBe(version);
  });
});

describe("satisfies", () => {
  it.each([
    ["2.15.2", "newest", true],
    ["2.10.0", "newest", true],
    ["2.9.10-1+b3", "newest", false],
    ["3.0.0", "newest", true],
    ["2.10.29", "2.10", true],
    ["2.11.0", "2.10", false],
    ["2.11.17", "2.11", true],
    ["2.12.0", "2.11", false],
    ["2.12.15", "2.12", true],
    ["2.15.2", "2.12", false],
    ["2.10.29", "2.11", false],
    ["2.9.25", "2.10", false],
  ] as const)("%s for %s: %s", (version, generation, expected) => {
    expect(satisfies(version, generation)).toBe(expected);
  });
});

describe("standsIn", () => {
  it.each([
    ["2.10.29", "2.10", true],
    ["2.11.17", "2.10", true],
    ["2.12.0", "2.10", false],
    ["2.9.25", "2.10", false],
    ["2.11.17", "newest", true],
  ] as const)("%s for %s: %s", (version, generation, expected) => {
    expect(standsIn(version, generation)).toBe(expected);
  });
});
