import { type ChildProcess, fork } from "node:child_process";
import { get, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import type { Probes } from "@millrace/runtime";
import type { Serving } from "../serving/serve.ts";
import { MEMBER, readMemberMessage } from "./group-member.ts";
import { mergePages, type ProcessPage } from "./merge-pages.ts";

/** One process of a group, over all its lives. */
interface Member {
  readonly number: number;
  child: ChildProcess | undefined;
  startedAt: number;
  url: string | undefined;
  about: Serving | undefined;
  /** Its node was told to stop, and has. */
  hasStopped: boolean;
  probes: Probes | undefined;
  /** In a row, each soon after its start. */
  failures: number;
  again: NodeJS.Timeout | undefined;
}

export interface GroupOptions {
  readonly count: number;
  /** What each is started with: a script, its arguments, and Node's own. */
  readonly script: string;
  readonly args: readonly string[];
  readonly nodeArgs: readonly string[];
  readonly warn: (line: string) => void;
}

const LOOK_EVERY_MS = 1_000;
/** A process that computes for so long does not answer its probes. */
const ANSWER_WITHIN_MS = 5_000;
const AGAIN_MS = 1_000;
const MOST_AGAIN_MS = 30_000;
/** What a process that has ended had said is read by then. */
const READ_WITHIN_MS = 1_000;
/** Whoever has lived so long has not failed at its start. */
const SETTLED_MS = 60_000;

/**
 * Processes that run the same node side by side. One that dies is started again, with exit code 0
 * too: a handler may have called `process.exit()`. One that says that it has stopped was ordered
 * to. When all have ended the group has.
 */
export class ProcessGroup {
  readonly #options: GroupOptions;
  readonly #members: readonly Member[];
  readonly #served = Promise.withResolvers<readonly Serving[]>();
  readonly #ended = Promise.withResolvers<number>();
  readonly #looking: NodeJS.Timeout;
  #isStopping = false;
  #hasServed = false;
  #exitCode = 0;

  constructor(options: GroupOptions) {
    this.#options = options;
    this.#members = Array.from({ length: options.count }, (_, index) => ({
      ...{ number: index + 1, startedAt: 0, failures: 0, child: undefined, url: undefined },
      ...{ about: undefined, hasStopped: false, probes: undefined, again: undefined },
    }));
    for (const member of this.#members) this.#start(member);
    this.#looking = setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  /** Resolves once all of them serve. */
  get served(): Promise<readonly Serving[]> {
    return this.#served.promise;
  }

  /** Resolves with the exit code when all of them have ended. */
  get ended(): Promise<number> {
    return this.#ended.promise;
  }

  /** Sends each the signal: the first one lets running jobs end, a second one hands them back. */
  signal(signal: NodeJS.Signals): void {
    this.#isStopping = true;
    for (const member of this.#members) {
      clearTimeout(member.again);
      member.again = undefined;
      member.child?.kill(signal);
    }
    this.#endIfOver();
  }

  /** Alive while each that runs is; ready while all are there and are. As of a moment ago. */
  health(): Probes {
    const told = this.#members.filter(
      ({ child, again }) => child !== undefined || again !== undefined,
    );
    const problems = told.flatMap(({ number, child, probes }) => {
      if (child === undefined) return [`process ${number} has died, and is started again`];
      if (probes === undefined) return [`process ${number} is starting`];
      return probes.problems.map((problem) => `process ${number}: ${problem}`);
    });
    return {
      live: told.every(({ probes }) => probes?.live !== false),
      ready: told.length > 0 && told.every(({ child, probes }) => child && probes?.ready === true),
      problems,
    };
  }

  async metrics(): Promise<string> {
    const pages = await Promise.all(
      this.#members.map(async ({ number, url }): Promise<ProcessPage | undefined> => {
        const answer = url === undefined ? undefined : await ask(`${url}/metrics`);
        return answer?.status === 200 ? { process: number, page: answer.body } : undefined;
      }),
    );
    return mergePages(pages.filter((page) => page !== undefined));
  }

  #start(member: Member): void {
    member.startedAt = performance.now();
    let child: ChildProcess;
    try {
      child = this.#fork(member);
    } catch (error) {
      // Not before the group is made.
      process.nextTick(() => this.#notStarted(member, error));
      return;
    }
    member.child = child;
    child.on("message", (message) => this.#hear(member, message));
    child.once("exit", (code, signal) => {
      const gone = once(() => this.#gone(member, code, signal));
      // What it has said last may not have been read yet.
      if (!child.connected || member.hasStopped) return gone();
      child.once("disconnect", gone);
      setTimeout(gone, READ_WITHIN_MS).unref();
    });
    child.on("error", (error) => {
      // What was never started has no end of its own.
      if (child.pid === undefined) this.#notStarted(member, error);
      else this.#warn(member, error);
    });
  }

  #fork(member: Member): ChildProcess {
    const { script, args, nodeArgs } = this.#options;
    // With a process group of its own: a terminal's Ctrl-C reaches it through here alone, once.
    return fork(script, args, {
      detached: true,
      execArgv: [...nodeArgs],
      env: { ...process.env, [MEMBER]: String(member.number) },
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
  }

  #notStarted(member: Member, error: unknown): void {
    this.#warn(member, error);
    this.#gone(member, 1, null);
  }

  #warn({ number }: Member, error: unknown): void {
    this.#options.warn(
      `process ${number}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }

  /** A handler in the process, or a library, may send what it likes on the same channel. */
  #hear(member: Member, said: unknown): void {
    const message = readMemberMessage(said);
    if (message === undefined) return;
    if (message.kind === "listening") member.url = message.url;
    else if (message.kind === "serving") member.about = message.about;
    else member.hasStopped = true;
    this.#look();
    const served = this.#members.flatMap(({ about }) => about ?? []);
    if (served.length < this.#members.length) return;
    this.#hasServed = true;
    this.#served.resolve(served);
  }

  #gone(member: Member, code: number | null, signal: NodeJS.Signals | null): void {
    const lived = performance.now() - member.startedAt;
    const hasServed = this.#hasServed || member.about !== undefined;
    const { hasStopped } = member;
    Object.assign(member, {
      child: undefined,
      url: undefined,
      probes: undefined,
      about: undefined,
      hasStopped: false,
    });
    const hasNotStarted = !hasStopped && !this.#isStopping && !hasServed;
    const hasFailed = hasNotStarted || (code !== 0 && (this.#isStopping || !hasServed));
    // Something in it may have called `process.exit(0)`: it serves as little.
    if (hasFailed && this.#exitCode === 0) this.#exitCode = code === 0 ? 1 : (code ?? 1);
    // What keeps the first from starting would keep the others.
    if (hasNotStarted) this.signal("SIGTERM");
    if (hasStopped || this.#isStopping) return this.#endIfOver();
    member.failures = lived > SETTLED_MS ? 0 : member.failures + 1;
    const againMs = Math.min(AGAIN_MS * 2 ** Math.max(0, member.failures - 1), MOST_AGAIN_MS);
    const how = signal ?? `code ${code}`;
    this.#options.warn(
      `process ${member.number} has died (${how}), and is started again in ${againMs / 1_000} s`,
    );
    member.again = setTimeout(() => {
      member.again = undefined;
      this.#start(member);
    }, againMs);
  }

  #endIfOver(): void {
    if (this.#members.some(({ child, again }) => child !== undefined || again !== undefined))
      return;
    clearInterval(this.#looking);
    this.#ended.resolve(this.#exitCode);
  }

  #look(): void {
    for (const member of this.#members) {
      const { url, child } = member;
      if (url === undefined) continue;
      void ask(`${url}/readyz`).then((answer) => {
        if (member.child === child) member.probes = probesOf(answer);
      });
    }
  }
}

function once(act: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    act();
  };
}

function probesOf(answer: { readonly body: string } | undefined): Probes {
  const silent = { live: false, ready: false, problems: ["it does not answer"] };
  if (answer === undefined) return silent;
  try {
    const { live, ready, problems } = JSON.parse(answer.body) as Probes;
    return { live, ready, problems };
  } catch {
    return silent;
  }
}

/** @returns undefined where nobody answers in time, or nobody can be asked there */
async function ask(
  url: string,
): Promise<{ readonly status: number; readonly body: string } | undefined> {
  const asked = Promise.withResolvers<IncomingMessage>();
  try {
    const request = get(url, { agent: false, timeout: ANSWER_WITHIN_MS }, asked.resolve);
    request.once("timeout", () => request.destroy());
    request.once("error", asked.reject);
    const response = await asked.promise;
    return { status: response.statusCode ?? 0, body: await text(response) };
  } catch {
    return undefined;
  }
}
