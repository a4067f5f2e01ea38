import { join } from "node:path";
import type { HistoryRecord } from "@millrace/core";
import { connect, type Millrace } from "millrace";
import { startChild, type TestChild } from "../../harness/child.ts";
import { cleanUpLater } from "../../harness/cleanup.ts";
import type { TestServer } from "../../harness/servers.ts";
import {
  type Input,
  type Said,
  SHARED,
  type Told,
  type Version,
  type VersionedConfig,
} from "../programs/versioned.ts";
import type { OlderPrograms } from "./older-version.ts";
import { readRecords } from "./records.ts";

const START_MS = 90_000;
const PATIENCE_MS = 60_000;
const TODAYS_PROGRAMS = join(import.meta.dirname, "../programs");
const LAST_LINES = 20;
/** So short that what is published a moment later is not held back by its id. */
const DEDUPE_MS = 100;

export interface VersionedNode {
  heard<S extends Said["say"]>(
    say: S,
    accepts?: (message: Extract<Said, { say: S }>) => boolean,
  ): Promise<Extract<Said, { say: S }>>;
  /** Resolves when the node has begun this attempt. */
  started(id: string, attempt?: number): Promise<void>;
  /**
   * By the producer of this node's version.
   * @returns the id of the job that does it: another's where a unique key is held
   */
  enqueue(
    job: (Told & { tell: "enqueue" })["job"],
    id: string,
    input?: Input,
    options?: { readonly delay?: number },
  ): Promise<string>;
  /** Lets a job that runs until it is released end well. */
  release(id: string): void;
  /** SIGTERM; resolves when it has ended well. */
  retire(): Promise<void>;
}

/** Nodes and producers of two versions on one namespace, and today's client to look at them. */
export class TwoVersions {
  readonly namespace: string;
  readonly client: Millrace;
  readonly #server: TestServer;
  readonly #older: OlderPrograms;
  readonly #children: { readonly name: string; readonly child: TestChild }[] = [];

  static async open(server: TestServer, older: OlderPrograms): Promise<TwoVersions> {
    const namespace = server.namespace();
    const client = await connect({ servers: server.url, namespace, env: {} });
    cleanUpLater(() => client.close());
    return new TwoVersions(server, older, namespace, client);
  }

  private constructor(
    server: TestServer,
    older: OlderPrograms,
    namespace: string,
    client: Millrace,
  ) {
    this.#server = server;
    this.#older = older;
    this.namespace = namespace;
    this.client = client;
  }

  /** A queue that forgets message ids soon: what is written twice shows as two. */
  forgetful(): Promise<void> {
    return this.client.queues.ensure(SHARED, { dedupeWindowMs: DEDUPE_MS });
  }

  /** Resolves when the node is ready. */
  async node(
    version: Version,
    choices: Partial<Pick<VersionedConfig, "slots" | "ticks">> = {},
  ): Promise<VersionedNode> {
    const config: VersionedConfig = {
      servers: this.#server.url,
      namespace: this.namespace,
      version,
      slots: 16,
      ticks: false,
      ...choices,
    };
    const programs = version === "old" ? this.#older.programs : TODAYS_PROGRAMS;
    const child = startChild(join(programs, "versioned-program.ts"), {
      args: [JSON.stringify(config)],
    });
    this.#children.push({ name: `${this.#children.length + 1} (${version})`, child });
    await child.line(/^ready$/, START_MS);
    return controls(child);
  }

  /** A failure says what is stored of the schedules and the queue, and what all nodes said. */
  async told<T>(doing: Promise<T>): Promise<T> {
    try {
      return await doing;
    } catch (cause) {
      throw new Error(`${String(cause)}\n${await this.#whatIs()}`, { cause });
    }
  }

  async #whatIs(): Promise<string> {
    const { cron, queues, dead } = this.client;
    const looks: readonly (readonly [string, () => Promise<unknown>])[] = [
      ["the schedules", () => cron.list()],
      ["the queue", () => queues.snapshot(SHARED)],
      ["dead letters", () => dead.list({ queue: SHARED })],
      ["records", async () => shortly(await readRecords(this.#server.url, this.namespace))],
    ];
    const stored = looks.map(async ([what, look]) => {
      const seen = await look().catch(String);
      return `${what}: ${JSON.stringify(seen)}`;
    });
    const said = this.#children.flatMap(({ name, child }) => [
      `node ${name} said`,
      ...child.output().slice(-LAST_LINES),
    ]);
    return [...(await Promise.all(stored)), ...said].join("\n");
  }

  /** What a job returned: the version of the node that ran it. */
  ranOn(id: string): Promise<unknown> {
    return this.client.handle(id, SHARED).result({ timeout: PATIENCE_MS });
  }
}

function shortly(records: readonly HistoryRecord[]): readonly string[] {
  return records.map(({ id, sequence, state, reason = "", at, node = "" }) =>
    [id, sequence, state, reason, new Date(at).toISOString(), node].join(" "),
  );
}

function controls(child: TestChild): VersionedNode {
  const heard: VersionedNode["heard"] = (say, accepts = () => true) =>
    child.message(
      (message): message is never => (message as Said).say === say && accepts(message as never),
      PATIENCE_MS,
    );
  const tell = (told: Told): void => child.send({ ...told });
  return {
    heard,
    started: async (id, attempt = 1) =>
      void (await heard("started", (said) => said.id === id && said.attempt === attempt)),
    enqueue: async (job, id, input = {}, options = {}) => {
      tell({ tell: "enqueue", job, input, options: { id, ...options } });
      return (await heard("enqueued", (said) => said.id === id)).holder;
    },
    release: (id) => tell({ tell: "release", id }),
    retire: async () => {
      child.signal("SIGTERM");
      const { code } = await child.exit(PATIENCE_MS);
      if (code !== 0) throw new Error(`it ended with ${code}:\n${child.output().join("\n")}`);
    },
  };
}
