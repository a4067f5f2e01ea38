import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startChild, type TestChild } from "../harness/child.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { Register } from "./programs/register.ts";
import type { HolderConfig, Said } from "./programs/said.ts";

const PROGRAM = join(import.meta.dirname, "programs/holder-program.ts");
const PATIENCE_MS = 90_000;

/** Where they want it. */
export interface LockPlace {
  /** Of holders that are not told otherwise. */
  readonly url: string;
  readonly replicas?: number;
  namespace(): string;
}

/** Processes that want one lock, and the register that it protects. */
export class Holders {
  readonly leaseMs: number;
  readonly register: Register;
  readonly #place: LockPlace;
  readonly #namespace: string;
  readonly #file: string;

  constructor(place: LockPlace, leaseMs: number) {
    this.leaseMs = leaseMs;
    this.#place = place;
    this.#namespace = place.namespace();
    const directory = mkdtempSync(join(tmpdir(), "millrace-register-"));
    cleanUpLater(() => rmSync(directory, { recursive: true, force: true }));
    this.#file = join(directory, "register.sqlite");
    this.register = new Register(this.#file);
    cleanUpLater(() => this.register.close());
  }

  /** A process that waits for the lock, takes it and keeps it. */
  async start(name: string, { servers = this.#place.url, isNode = false } = {}): Promise<Holder> {
    const { replicas } = this.#place;
    const config: HolderConfig = {
      servers,
      ...(replicas === undefined ? {} : { replicas }),
      namespace: this.#namespace,
      name,
      lock: "it",
      leaseMs: this.leaseMs,
      register: this.#file,
      isNode,
    };
    const holder = new Holder(startChild(PROGRAM, { args: [JSON.stringify(config)] }));
    await holder.heard("waiting");
    return holder;
  }
}

export class Holder {
  readonly child: TestChild;

  constructor(child: TestChild) {
    this.child = child;
  }

  /** The next message of this kind. */
  heard<S extends Said["say"]>(say: S): Promise<Extract<Said, { say: S }>> {
    return this.child.message(
      (message): message is Extract<Said, { say: S }> =>
        typeof message === "object" && message !== null && "say" in message && message.say === say,
      PATIENCE_MS,
    );
  }

  /** It writes whatever it believes. */
  write(): void {
    this.child.send({ do: "write" });
  }

  /** Stalls its event loop, then writes at once. */
  stall(ms: number): void {
    this.child.send({ do: "stall", ms });
  }

  release(): void {
    this.child.send({ do: "release" });
  }
}
