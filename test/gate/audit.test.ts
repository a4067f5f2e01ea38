import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Ran, runCommand } from "../packaging/run-command.ts";

const ROOT = resolve(import.meta.dirname, "../..");

/** `pnpm audit` against a registry that answers like this; undefined: it answers no audits. */
async function audit(answer: object | undefined, ...args: readonly string[]): Promise<Ran> {
  const registry = createServer((request, response) => {
    request.resume();
    response.writeHead(answer === undefined ? 405 : 200, {
      connection: "close",
      "content-type": "application/json",
    });
    response.end(JSON.stringify(answer ?? {}));
  });
  await new Promise<void>((ready) => registry.listen(0, "127.0.0.1", ready));
  onTestFinished(() => new Promise((closed) => void registry.close(() => closed())));
  const { port } = registry.address() as AddressInfo;
  return runCommand([process.execPath, join(ROOT, "scripts/audit.mjs"), ...args], ROOT, {
    MILLRACE_AUDIT_REGISTRY: `http://127.0.0.1:${port}/`,
  });
}

const ADVISORY = {
  pino: [
    {
      id: 1,
      url: "https://example.test/advisory",
      title: "It logs too much",
      severity: "high",
      vulnerable_versions: "<99",
      cwe: [],
      cvss: { score: 7, vectorString: "" },
    },
  ],
};

describe("the audit of the dependencies", { timeout: 180_000 }, () => {
  it("passes where nothing is known", async () => {
    const { code, output } = await audit({});
    expect(output).toMatch(/^0 known vulnerabilities in \d{2,} dependencies\.$/m);
    expect(code).toBe(0);
  });

  it("fails with each known vulnerability of what users install", async () => {
    const { code, output } = await audit(ADVISORY);
    expect(output).toMatch(/^high: pino <99: It logs too much \(https:\/\/example\.test/m);
    expect(code).toBe(1);
  });

  it("says so where the registry gives no audit, and fails then before a release", async () => {
    const { code, output } = await audit(undefined);
    expect(output).toMatch(/gave no audit .* is not known/);
    expect(code).toBe(2);
    expect((await audit(undefined, "--required")).code).toBe(1);
  });
});

describe("a release", { timeout: 180_000 }, () => {
  const release = (args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ran> =>
    runCommand([process.execPath, join(ROOT, "scripts/release.mjs"), "--dry-run", ...args], ROOT, {
      ACTIONS_ID_TOKEN_REQUEST_URL: "",
      SIGSTORE_ID_TOKEN: "",
      ...env,
    });
  const repository = ["--repository", "git+https://example.test/millrace.git"];

  it("with a provenance needs a repository and a CI that signs", async () => {
    expect((await release(["--provenance"], {})).output).toMatch(/names none\. Give --repository/);
    const unsigned = await release(["--provenance", ...repository], {});
    expect(unsigned.output).toMatch(/id-token: write/);
    expect(unsigned.code).toBe(1);
    const signed = await release(["--provenance", ...repository], { SIGSTORE_ID_TOKEN: "t" });
    expect(signed.output).toMatch(/would publish with a provenance/);
    expect(signed.code).toBe(0);
  });

  it("goes without one", async () => {
    expect((await release([], {})).output).toMatch(/would publish without a provenance/);
  });
});
