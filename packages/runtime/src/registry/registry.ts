import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type AnyJob, isJob, MillraceError } from "@millrace/core";
import { requireEndingOutcomes } from "./outcome-targets.ts";

/** The jobs a node can run, by name. Fixed when the node is made. */
export class Registry {
  readonly #jobs: ReadonlyMap<string, AnyJob>;
  readonly #defined: ReadonlySet<string>;
  readonly queues: readonly string[];

  /** @throws MillraceError `no-jobs`, `no-handler`, `duplicate-job`, `invalid-job` */
  constructor(
    jobs: readonly unknown[],
    machines: readonly unknown[] = [],
    schedules: readonly unknown[] = [],
  ) {
    if (jobs.length + machines.length + schedules.length === 0)
      throw new MillraceError(
        "no-jobs",
        "A node needs at least one job. Give it `definition.handler(…)`.",
      );
    const byName = new Map<string, AnyJob>();
    for (const job of jobs) {
      if (!isJob(job))
        throw new MillraceError(
          "no-handler",
          `${nameOf(job)} has no handler. Give the node what \`definition.handler(…)\` returns.`,
        );
      if (byName.has(job.name))
        throw new MillraceError(
          "duplicate-job",
          `Two jobs are called ${job.name}. A name has one handler.`,
        );
      if (job.isolation === "thread" && job.module === undefined)
        throw new MillraceError(
          "invalid-job",
          `${job.name} asks for isolation: "thread" and names no module. Set module: import.meta.url in the file that exports it.`,
        );
      if (job.module !== undefined) requireModule(job.name, job.module);
      byName.set(job.name, job);
    }
    requireEndingOutcomes([...byName.values()]);
    this.#jobs = byName;
    this.#defined = new Set([...byName.values()].map((job) => job.queue));
    this.queues = [...this.#defined];
  }

  get jobs(): readonly AnyJob[] {
    return [...this.#jobs.values()];
  }

  /**
   * What serves a name in a queue. In the queue of a definition only that queue's names are served:
   * who may publish there must not reach what belongs to another. A queue that no job is defined on
   * serves them all.
   */
  get(name: string, queue: string): AnyJob | undefined {
    const job = this.#jobs.get(name);
    return job === undefined || job.queue === queue || !this.#defined.has(queue) ? job : undefined;
  }
}

/** A build moves files: what the source names may not be there afterwards. */
function requireModule(name: string, module: string): void {
  if (!module.startsWith("file:") || existsSync(fileURLToPath(module))) return;
  throw new MillraceError(
    "invalid-job",
    `${name} names a module that is not there: ${module}. Set module: import.meta.url in the file that exports the job; that is right before and after a build.`,
  );
}

function nameOf(value: unknown): string {
  return typeof value === "object" &&
    value !== null &&
    "name" in value &&
    typeof value.name === "string"
    ? value.name
    : "One of the jobs";
}
