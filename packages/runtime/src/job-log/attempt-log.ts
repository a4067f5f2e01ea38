import type { Clock, Envelope, JobLogLine, JobLogPage, Timer } from "@millrace/core";
import type { JobLogConfig } from "./job-log-options.ts";
import { lineOf, type Said } from "./log-line.ts";

/** Lines wait for so long for others to be written with. */
const EVERY_MS = 250;
/** So much is written without waiting. */
const FULL_PAGE_BYTES = 32_768;

/** Where an attempt's pages go: its node's `JobLogs`. */
export interface AttemptLogHost {
  readonly config: JobLogConfig;
  readonly clock: Clock;
  readonly node: string;
  /** Takes room in the node's memory for lines that are not written yet. */
  takeRoom(bytes: number): boolean;
  freeRoom(bytes: number): void;
  /** Never rejects. @returns whether it is kept */
  append(job: Envelope, page: JobLogPage): Promise<boolean>;
}

/**
 * Keeps the lines of one attempt. A handler never waits for it: lines are written beside it, a page
 * at a time. What there is no room for is counted instead.
 */
export class AttemptLog {
  readonly #host: AttemptLogHost;
  readonly #envelope: Envelope;
  readonly #token: number;
  #lines: JobLogLine[] = [];
  #bytes = 0;
  #keptLines = 0;
  #keptBytes = 0;
  /** Not told in a page yet. */
  #left = 0;
  #pages = 0;
  #pause: Timer | undefined;
  #isWriting = false;
  #isOver = false;

  constructor(host: AttemptLogHost, envelope: Envelope, token: number) {
    this.#host = host;
    this.#envelope = envelope;
    this.#token = token;
  }

  add(said: Omit<Said, "at">): void {
    if (this.#isOver) return;
    const { config, clock } = this.#host;
    if (this.#keptLines >= config.maxLines || this.#keptBytes >= config.maxBytes)
      return void (this.#left += 1);
    const { line, bytes } = lineOf({ ...said, at: clock.now() }, config.mask);
    if (this.#keptBytes + bytes > config.maxBytes || !this.#host.takeRoom(bytes))
      return void (this.#left += 1);
    this.#keptLines += 1;
    this.#keptBytes += bytes;
    this.#bytes += bytes;
    this.#lines.push(line);
    if (this.#bytes >= FULL_PAGE_BYTES) this.#next();
    else this.#pause ??= clock.setTimer(EVERY_MS, () => this.#next());
  }

  /** Takes no more, and writes what there is, beside a page that may still be on its way. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#pause?.cancel();
    if (this.#lines.length > 0 || this.#left > 0) this.#write();
  }

  /** One page at a time: where the broker is slow, pages become longer. */
  #next(): void {
    this.#pause?.cancel();
    this.#pause = undefined;
    if (!this.#isOver && !this.#isWriting && this.#lines.length > 0) this.#write();
  }

  #write(): void {
    const [lines, bytes, left] = [this.#lines, this.#bytes, this.#left];
    [this.#lines, this.#bytes, this.#left] = [[], 0, 0];
    this.#isWriting = true;
    const { createdAt, attempts } = this.#envelope;
    const page: JobLogPage = {
      ...{ createdAt, attempt: attempts + 1, node: this.#host.node, token: this.#token },
      ...{ page: this.#pages, lines },
      ...(left === 0 ? {} : { left }),
    };
    this.#pages += 1;
    void this.#host.append(this.#envelope, page).then((isKept) => {
      this.#host.freeRoom(bytes);
      if (!isKept) this.#left += left + lines.length;
      this.#isWriting = false;
      this.#next();
    });
  }
}
