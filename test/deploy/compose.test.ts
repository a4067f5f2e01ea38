import { existsSync, globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import { describe, expect, inject, test } from "vitest";
import { loadJobs } from "millrace";
import { parse } from "yaml";
import { parseAccounts } from "../../packages/dashboard/src/access/users.ts";
import { FIELDS } from "../../packages/millrace/src/config/fields.ts";
import { runProgram } from "./program.ts";

const FOLDER = resolve(import.meta.dirname, "../../deploy/compose");
const read = (file: string): string => readFileSync(join(FOLDER, file), "utf8");

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
}
interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly ports?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly deploy?: { readonly replicas: number };
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, object>>;
  readonly read_only?: boolean;
  readonly stop_grace_period?: string;
}
const compose = (file: string): Compose => parse(read(file), { merge: true }) as Compose;

// The Compose Specification's own schema, as a linter of compose files ships it.
const schema = JSON.parse(
  readFileSync(
    fileURLToPath(
      new URL("schemas/compose.schema.json", import.meta.resolve("dclint/package.json")),
    ),
    "utf8",
  ),
) as object;
const validate = new Ajv({ strict: false, validateFormats: false, allErrors: true }).compile(
  Object.fromEntries(Object.entries(schema).filter(([key]) => key !== "$schema")),
);

test("the schema finds an unknown field and a wrong value", () => {
  expect(validate({ services: { a: { image: "x", replicaz: 2 } } })).toBe(false);
  expect(validate({ services: { a: { image: 7 } } })).toBe(false);
  expect(validate({ services: { a: { image: "x" } } })).toBe(true);
});

describe.each(["compose.yaml", "laptop.yaml"])("%s", (file) => {
  const { services } = compose(file);

  test("is a compose file", () => {
    validate(parse(read(file), { merge: true }));
    expect(validate.errors ?? []).toEqual([]);
  });

  test("what it mounts is there, and what it waits for is a service with a health check", () => {
    for (const { volumes = [], depends_on = {} } of Object.values(services)) {
      for (const volume of volumes) {
        const [from = ""] = volume.replace(/\$\{\w+:-([^}]*)\}/, "$1").split(":");
        if (from.startsWith(".")) expect(existsSync(join(FOLDER, from)), from).toBe(true);
      }
      for (const name of Object.keys(depends_on)) expect(services[name]?.healthcheck).toBeDefined();
    }
  });

  test("the node's variables are fields of the configuration, its root can't be written, its end is awaited", () => {
    const { node, ui } = services;
    const fields = Object.values(FIELDS).flatMap(({ env }) => env ?? []);
    for (const name of Object.keys({ ...node?.environment, ...ui?.environment }))
      if (!name.startsWith("OTEL_")) expect(fields).toContain(name);
    expect(node?.read_only).toBe(true);
    expect(node?.stop_grace_period).toBe("35s");
  });

  test("the dashboard is there for this machine alone, and asks who is there", () => {
    const { ui } = services;
    expect(ui?.command).toEqual(["ui"]);
    expect(ui?.ports).toEqual(["127.0.0.1:8087:8087"]);
    const [, usual = ""] =
      /^\$\{MILLRACE_UI_USERS:-(.+)\}$/.exec(ui?.environment?.["MILLRACE_UI_USERS"] ?? "") ?? [];
    expect(parseAccounts(usual)).toContainEqual(
      expect.objectContaining({ name: "operator", role: "operator" }),
    );
    expect(ui?.healthcheck?.test.at(-1)).toContain("status === 401");
    expect(ui?.read_only).toBe(true);
  });

  test("images name a version and a digest", () => {
    for (const { image } of Object.values(services))
      if (image !== "millrace") expect(image).toMatch(/:v?\d+\.\d+[^@]*@sha256:[0-9a-f]{64}$/);
  });
});

test("the image's bases are named by their digests", () => {
  const containerfile = readFileSync(resolve(FOLDER, "../Containerfile"), "utf8");
  const bases = [...containerfile.matchAll(/^ARG (?:NODE|BASE)_IMAGE=(\S+)$/gm)].map(
    ([, of]) => of,
  );
  expect(bases).toHaveLength(2);
  for (const base of bases) expect(base).toMatch(/@sha256:[0-9a-f]{64}$/);
});

test("the whole: three servers, two nodes, the dashboard, Jaeger, Prometheus", () => {
  const { services } = compose("compose.yaml");
  expect(Object.keys(services).toSorted()).toEqual(
    ["jaeger", "nats-1", "nats-2", "nats-3", "node", "prometheus", "ui"].toSorted(),
  );
  expect(services["node"]?.deploy?.replicas).toBe(2);
  expect(services["node"]?.healthcheck?.test.slice(0, 3)).toEqual([
    "CMD",
    "millrace",
    "healthcheck",
  ]);
});

describe("nats.conf", () => {
  for (const target of inject("serversUnderTest"))
    test(`nats-server ${target.generation} takes it`, async ({ skip }) => {
      if (target.state === "missing") return skip(target.reason);
      await runProgram(target.path, ["-c", join(FOLDER, "nats.conf"), "-t"], {
        timeoutMs: 10_000,
        env: { SERVER_NAME: "nats-1" },
      });
    });
});

test("Prometheus scrapes the node's health port and the dashboard, as a user of it, and loads the chart's alerts", () => {
  const config = parse(read("prometheus.yaml")) as {
    rule_files: string[];
    scrape_configs: {
      dns_sd_configs?: { names: string[]; port: number }[];
      static_configs?: { targets: string[] }[];
      basic_auth?: { username: string; password: string };
    }[];
  };
  const [nodes, ui] = config.scrape_configs;
  expect(nodes?.dns_sd_configs).toMatchObject([{ names: ["node"], port: 8086 }]);
  expect(ui?.static_configs).toEqual([{ targets: ["ui:8087"] }]);
  const { username = "", password = "" } = ui?.basic_auth ?? {};
  const users = compose("compose.yaml").services["ui"]?.environment?.["MILLRACE_UI_USERS"] ?? "";
  const given = /:-(.+)\}$/.exec(users)?.[1] ?? "";
  expect(parseAccounts(given)).toContainEqual({ name: username, role: "viewer", password });
  expect(compose("compose.yaml").services["prometheus"]?.volumes).toContain(
    `../helm/millrace/files/alerts.yaml:${config.rule_files[0]}:ro`,
  );
});

test("the jobs that are mounted by default export one", async () => {
  expect(globSync("jobs/*", { cwd: FOLDER })).toEqual(["jobs/greet.ts"]);
  expect((await loadJobs(["jobs"], FOLDER)).map(({ name }) => name)).toEqual(["greet"]);
});
