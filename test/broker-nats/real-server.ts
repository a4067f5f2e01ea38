import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type Generation = "old" | "new";

/** Both server generations that Millrace supports, for `describe.each`. */
export const generations: readonly Generation[] = ["new", "old"];

export interface RealServer {
  readonly url: string;
  readonly pid: number;
  /** SIGKILL, as a crash does it; the store stays. */
  kill(): Promise<void>;
  /** Starts again on the same port and store. */
  restart(): Promise<void>;
  /** Stops for good and removes the store. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** A private nats-server on a random port. `config` is appended to its configuration file. */
export async function realServer(
  generation: Generation,
  options: { readonly jetStream?: boolean; readonly config?: string } = {},
): Promise<RealServer> {
  const binary = process.env[generation === "new" ? "NATS_SERVER" : "NATS_SERVER_OLD"];
  if (binary === undefined)
    throw new Error(
      `Set NATS_SERVER and NATS_SERVER_OLD to the nats-server binaries to test with.`,
    );
  const dir = await mkdtemp(join(tmpdir(), "millrace-nats-"));
  const configFile = join(dir, "nats.conf");
  const write = (port: number): Promise<void> =>
    writeFile(
      configFile,
      `host: 127.0.0.1\nport: ${port}\nports_file_dir: "${dir}"\n${options.jetStream === false ? "" : `jetstream { store_dir: "${dir}/store" }\n`}${options.config ?? ""}\n`,
    );
  await write(-1);
  let child = spawn(binary, ["-c", configFile], { stdio: "ignore" });
  const port = await portOf(dir, child);
  await write(port);
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  return {
    url: `nats://127.0.0.1:${port}`,
    get pid() {
      return child.pid ?? 0;
    },
    kill,
    async restart() {
      await kill();
      for (const file of (await readdir(dir)).filter((name) => name.endsWith(".ports")))
        await rm(join(dir, file));
      child = spawn(binary, ["-c", configFile], { stdio: "ignore" });
      await portOf(dir, child);
    },
    async [Symbol.asyncDispose]() {
      await kill();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function portOf(dir: string, child: ChildProcess): Promise<number> {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline;) {
    if (child.exitCode !== null) throw new Error(`nats-server exited with ${child.exitCode}`);
    const file = (await readdir(dir)).find((name) => name.endsWith(`_${child.pid}.ports`));
    const text = file === undefined ? "" : await readFile(join(dir, file), "utf8");
    if (text.trimEnd().endsWith("}")) {
      const { nats } = JSON.parse(text) as { nats: string[] };
      return Number(new URL(nats[0] ?? "").port);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("nats-server opened no port within 10 s");
}
