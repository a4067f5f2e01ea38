import { MillraceError } from "@millrace/core";
import { describe, expect, test } from "vitest";
import { type ConfigSources, readConfig } from "./read-config.ts";

function messageOf(sources: ConfigSources): string {
  try {
    readConfig(sources);
  } catch (error) {
    if (MillraceError.is(error, "invalid-option")) return error.message;
    throw error;
  }
  throw new Error("it was accepted");
}

const flags = (values: object): NonNullable<ConfigSources["given"]> => ({
  values,
  label: (key) => `flag --${key}`,
});

test("defaults where nothing is said, frozen", () => {
  const config = readConfig({});
  expect(config).toMatchObject({
    servers: ["nats://127.0.0.1:4222"],
    namespace: "millrace",
    slots: 16,
    graceMs: 20_000,
  });
  expect(config).not.toHaveProperty("token");
  expect(Object.isFrozen(config) && Object.isFrozen(config.servers)).toBe(true);
});

test("a flag is stronger than the environment, that than the file, that than the default", () => {
  const file = {
    path: "c.json",
    values: { namespace: "file", slots: 3, graceMs: "1s", healthPort: 1 },
  };
  const env = { MILLRACE_NAMESPACE: "env", MILLRACE_SLOTS: "4", MILLRACE_GRACE: "" };
  expect(readConfig({ given: flags({ namespace: "flag" }), env, file })).toMatchObject({
    namespace: "flag",
    slots: 4,
    graceMs: 1_000,
    healthPort: 1,
    logLevel: "info",
  });
});

test("of two variables for one field the first counts", () => {
  expect(
    readConfig({ env: { MILLRACE_SERVER: "nats://b", MILLRACE_SERVERS: "nats://a, nats://c" } })
      .servers,
  ).toEqual(["nats://a", "nats://c"]);
});

test("slots by queue, as text and as a map", () => {
  const expected = { mail: 10, images: 2 };
  expect(readConfig({ env: { MILLRACE_QUEUES: "mail:10, images:2" } }).queues).toEqual(expected);
  expect(readConfig({ file: { path: "c", values: { queues: expected } } }).queues).toEqual(
    expected,
  );
});

describe("an error names the field, where it came from and the value", () => {
  test.each([
    [
      { env: { MILLRACE_SLOTS: "many" } },
      ["slots", "environment variable MILLRACE_SLOTS", '"many"'],
    ],
    [{ env: { MILLRACE_SLOTS: "0" } }, ["slots", "from 1", '"0"']],
    [{ env: { MILLRACE_GRACE: "soon" } }, ["graceMs", "MILLRACE_GRACE", '"soon"', "30s"]],
    [{ env: { MILLRACE_RECORDS_KEEP: "0" } }, ["recordsKeepMs", "more than 0"]],
    [{ env: { MILLRACE_JOB_LOGS_KEEP: "0s" } }, ["jobLogsKeepMs", "more than 0"]],
    [{ env: { MILLRACE_SERVER: "http://nats:4222" } }, ["servers", "MILLRACE_SERVER", "nats://"]],
    [{ env: { MILLRACE_QUEUES: "mail" } }, ["queues", "MILLRACE_QUEUES", "mail:10"]],
    [{ env: { MILLRACE_QUEUES: "ma il:1" } }, ["queues", "ma il"]],
    [{ env: { MILLRACE_QUEUES: "mail:none" } }, ["queues", "whole number"]],
    [{ env: { MILLRACE_NAMESPACE: "a.b" } }, ["namespace", "MILLRACE_NAMESPACE", "a.b"]],
    [{ given: flags({ healthPort: "99999" }) }, ["healthPort", "flag --healthPort", "65535"]],
    [{ file: { path: "m.json", values: { slots: "2.5" } } }, ["slots", "file m.json", "2.5"]],
    [
      { file: { path: "m.json", values: { slot: 1 } } },
      ["slot", "file m.json", "no such field. Did you mean slots?"],
    ],
    [{ file: { path: "m.json", values: { zzz: 1 } } }, ["zzz", "no such field. Fields: servers, "]],
    [{ env: { MILLRACE_LOG_LEVEL: "loud" } }, ["logLevel", "debug, info", "loud"]],
    [{ env: { MILLRACE_USER: "ada" } }, ["user", "password", "MILLRACE_PASSWORD"]],
    [{ env: { MILLRACE_TLS_CERT: "c.pem" } }, ["tlsCertFile", "tlsKeyFile"]],
    [
      { env: { MILLRACE_CREDS: "a", MILLRACE_NKEY_FILE: "b" } },
      ["credsFile", "nkeyFile", "one way"],
    ],
  ] satisfies [ConfigSources, string[]][])("%j", (sources, parts) => {
    const message = messageOf(sources);
    for (const part of parts) expect(message).toContain(part);
  });

  test("and never a secret's value", () => {
    const sources: ConfigSources = {
      file: {
        path: "m.json",
        values: { password: 12_345, servers: [{ url: "nats://ada:hunter2@host" }] },
      },
    };
    expect(messageOf(sources)).toContain("servers (file m.json)");
    expect(messageOf(sources)).not.toContain("hunter2");
    expect(messageOf({ file: { path: "m.json", values: { password: 12_345 } } })).not.toContain(
      "12345",
    );
  });
});

describe("a comma in a server's password cuts no half off that is shown", () => {
  test.each([
    { servers: "nats://ada:s3cr3t,rest@host" },
    { servers: "nats://ada:4711,rest@host" },
    { servers: "ada:4711,rest@host" },
    { servers: ["nats://a:4222", "nats://ada:s3cr3t,rest@host"] },
  ])("%j", (values) => {
    const message = messageOf({ file: { path: "m.json", values } });
    expect(message).toContain("%2C");
    expect(message).not.toMatch(/s3cr3t|4711|rest/);
  });

  test.each([
    [
      ["nats://a:4222", "ada:pw@b:4222"],
      ["nats://a:4222", "ada:pw@b:4222"],
    ],
    ["NATS://a:4222", ["NATS://a:4222"]],
    ["nats://a:4222, nats://ada:pw@b:4222", ["nats://a:4222", "nats://ada:pw@b:4222"]],
    ["ada:a%2Cb@a:1, [::1]:4222, ::1, b", ["ada:a%2Cb@a:1", "[::1]:4222", "::1", "b"]],
  ])("%j is taken", (servers, expected) => {
    expect(readConfig({ file: { path: "m.json", values: { servers } } }).servers).toEqual(expected);
  });
});
