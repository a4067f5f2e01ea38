import { constants } from "node:fs";
import { access, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";
import { withInstallLock } from "../../../packages/nats-server/src/install-lock.ts";
import { run } from "../../../packages/nats-server/src/run.ts";

/** The Jaeger that a test runs against, or the reason why it does not. */
export type JaegerUnderTest =
  | { readonly state: "present"; readonly path: string; readonly source: string }
  | { readonly state: "missing"; readonly reason: string };

const CACHE = resolve(import.meta.dirname, "../../../.millrace/bin");
const FILE = process.platform === "win32" ? "jaeger.exe" : "jaeger";
const PACKAGE = "github.com/jaegertracing/jaeger/cmd/jaeger";
/** Several hundred modules, once; from then on it is in the cache. */
const BUILD_MS = 15 * 60_000;

type Way = readonly [name: string, make: (workDir: string) => Promise<void>];

const env = (more: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({
  ...process.env,
  CGO_ENABLED: "0",
  GOOS: "",
  GOARCH: "",
  GOFLAGS: "",
  ...more,
});

/** Behind everything else: the tests beside it have deadlines, it has none. */
const go = (args: readonly string[], options: Parameters<typeof run>[2]): Promise<string> =>
  process.platform === "win32"
    ? run("go", args, options)
    : run("nice", ["-n", "19", "go", ...args], options);

/**
 * v2 has no version tag that Go understands: its module path has no `/v2`. A commit is v2.20.0, the
 * last v1 tag is v2.13.0.
 */
const WAYS: readonly Way[] = [
  [
    "go install of v2.20.0",
    async (cwd) => {
      const options = { cwd, env: env({ GOBIN: cwd }), timeoutMs: BUILD_MS };
      await go(["install", `${PACKAGE}@798e4b0fc`], options);
    },
  ],
  [
    // In a module of its own, as the tag's go.mod has a `replace`, which `go install` refuses.
    "go build of v2.13.0",
    async (cwd) => {
      const options = { cwd, env: env({}), timeoutMs: BUILD_MS };
      await go(["mod", "init", "obtain-jaeger"], options);
      await go(["get", "-tool", `${PACKAGE}@v1.76.0`], options);
      await go(["build", "-ldflags", "-s -w", "-o", FILE, PACKAGE], options);
    },
  ],
];

/**
 * Jaeger v2 from the `JAEGER` variable, the PATH or the cache, or built where Go is. `JAEGER=none`
 * goes without: the first build takes some minutes.
 */
export async function obtainJaeger(): Promise<JaegerUnderTest> {
  const named = process.env["JAEGER"];
  if (named === "none") return { state: "missing", reason: "JAEGER=none" };
  if (named !== undefined && named !== "") {
    return (await isExecutable(named))
      ? { state: "present", path: named, source: "JAEGER" }
      : { state: "missing", reason: `JAEGER names ${named}, which can't be run` };
  }
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(folder, FILE);
    if (folder !== "" && (await isExecutable(path)))
      return { state: "present", path, source: "PATH" };
  }
  await mkdir(CACHE, { recursive: true });
  const cached = join(CACHE, `jaeger-v2${process.platform === "win32" ? ".exe" : ""}`);
  return withInstallLock(`${cached}.lock`, async () => {
    if (await isExecutable(cached)) return { state: "present", path: cached, source: "cache" };
    return build(cached);
  });
}

async function build(target: string): Promise<JaegerUnderTest> {
  const tried: string[] = [];
  for (const [name, make] of WAYS) {
    const workDir = await mkdtemp(`${target}.tmp-`);
    try {
      process.stdout.write(`millrace: obtaining Jaeger by ${name} (some minutes, once)\n`);
      await make(workDir);
      await rename(join(workDir, FILE), target);
      return { state: "present", path: target, source: name };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      tried.push(`${name}: ${/ENOENT|go.?: No such file/.test(reason) ? "no Go here" : reason}`);
    } finally {
      await rm(workDir, { recursive: true, force: true });
    }
  }
  return { state: "missing", reason: tried.join("; ").replaceAll(/\s+/g, " ") };
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
