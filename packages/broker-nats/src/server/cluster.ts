import { join } from "node:path";
import { findFreePort } from "./free-port.ts";
import { type LaunchedServer, launchServer } from "./launch.ts";

export interface ClusterOptions {
  /** The binary, as `obtainServer` returns it. */
  readonly path: string;
  /** Default 3. */
  readonly size?: number;
  /** One directory per member is made in it. Default: temporary ones that `dispose` removes. */
  readonly storeDir?: string;
  /** Lines added to every member's configuration file. */
  readonly config?: string;
  /** How long the members may take to elect a leader. Default 30,000. */
  readonly readyMs?: number;
}

export interface LaunchedCluster extends AsyncDisposable {
  readonly members: readonly LaunchedServer[];
  /** One address per member. */
  readonly urls: readonly string[];
  stop(): Promise<void>;
  dispose(): Promise<void>;
}

/** Starts several servers that replicate JetStream among them, and resolves when they have a leader. */
export async function launchCluster(options: ClusterOptions): Promise<LaunchedCluster> {
  const { path, size = 3, config = "", readyMs = 30_000, storeDir } = options;
  const routePorts: number[] = [];
  while (routePorts.length < size) {
    const port = await findFreePort();
    if (!routePorts.includes(port)) routePorts.push(port);
  }
  const routes = routePorts.map((port) => `"nats://127.0.0.1:${port}"`).join(", ");
  const launches = routePorts.map((port, index) =>
    launchServer({
      path,
      readyMs,
      name: `n${index + 1}`,
      ...(storeDir === undefined ? {} : { storeDir: join(storeDir, `n${index + 1}`) }),
      config: `cluster { name: "millrace", listen: "127.0.0.1:${port}", routes: [${routes}] }\n${config}`,
    }),
  );
  const settled = await Promise.allSettled(launches);
  const members = settled.flatMap((result) =>
    result.status === "fulfilled" ? [result.value] : [],
  );
  const dispose = async (): Promise<void> => {
    await Promise.all(members.map((member) => member.dispose()));
  };
  try {
    for (const result of settled) if (result.status === "rejected") throw result.reason;
    await Promise.all(
      members.map((member) =>
        member.log.waitFor(/JetStream cluster (new )?metadata leader/, readyMs),
      ),
    );
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    members,
    urls: members.map((member) => member.url),
    async stop() {
      await Promise.all(members.map((member) => member.stop()));
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}
