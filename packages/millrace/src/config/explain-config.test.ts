import { expect, test } from "vitest";
import { explainConfig } from "./explain-config.ts";
import type { Field } from "./field.ts";
import { FIELD_KEYS, FIELDS } from "./fields.ts";
import { type ConfigSources, readConfig } from "./read-config.ts";

function explained(sources: ConfigSources) {
  const entries = explainConfig(readConfig(sources), sources);
  return Object.fromEntries(entries.map(({ field, ...entry }) => [field, entry]));
}

test("every field says its value and where it is from", () => {
  const shown = explained({
    given: { values: { slots: "3" }, label: (key) => `flag --${key}` },
    env: { MILLRACE_GRACE: "1s", MILLRACE_LEASE: "" },
    file: { path: "c.json", values: { namespace: "shop" } },
  });
  expect(Object.keys(shown)).toEqual(FIELD_KEYS);
  expect(shown).toMatchObject({
    slots: { value: 3, source: "flag --slots" },
    graceMs: { value: 1_000, source: "environment variable MILLRACE_GRACE" },
    leaseMs: { value: 30_000, source: "default" },
    namespace: { value: "shop", source: "file c.json" },
    credsFile: { value: null, source: "not set" },
  });
});

test("no secret is shown, and of a URL only what stands before the host is hidden", () => {
  const shown = explained({
    env: {
      MILLRACE_SERVERS: "u:pass@d, nats://u:p@ss@a:4222, tls://t0ken@b, c:4222",
      MILLRACE_TOKEN: "t0ken",
    },
  });
  expect(shown).toMatchObject({
    servers: { value: ["***@d", "nats://***@a:4222", "tls://***@b", "c:4222"] },
    token: { value: "***" },
  });
  expect(JSON.stringify(shown)).not.toMatch(/t0ken|u:p|:pass@|p@ss/);
});

test("no credentials of a page for people are shown", () => {
  const shown = explained({
    env: {
      MILLRACE_GRAFANA_URL: "https://ada:hunter2@grafana/d",
      MILLRACE_TRACE_URL: "https://jaeger/trace/{traceId}?token=hunter2hunter2",
    },
  });
  expect(shown).toMatchObject({ grafanaUrl: { value: "https://***@grafana/d" } });
  expect(JSON.stringify(shown)).not.toContain("hunter2");
});

test("each field whose name is a secret's is marked as one", () => {
  for (const key of FIELD_KEYS) {
    const { secret }: Field = FIELDS[key];
    if (/password|token|secret/i.test(key)) expect(secret, key).toBe(true);
  }
});
