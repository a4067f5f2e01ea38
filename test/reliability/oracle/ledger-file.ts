import { closeSync, fdatasyncSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type LedgerEntry, type LedgerEvent, ledgerNowMs } from "./ledger-entry.ts";

const SUFFIX = ".ledger.jsonl";

/**
 * One process's page of the ledger. A line is one `write` on a file opened for appending, so it
 * survives the SIGKILL of its writer whole or is not there at all.
 */
export class LedgerWriter {
  readonly #process: string;
  readonly #file: number;
  readonly #durable: boolean;

  /**
   * @param process unique among all that ever write to the directory
   * @param durable whether each line is on the disk before `write` returns: a power cut is none of
   *   these tests, so only for those that ask
   */
  constructor(directory: string, process: string, { durable = false } = {}) {
    this.#process = process;
    this.#file = openSync(join(directory, process + SUFFIX), "a");
    this.#durable = durable;
  }

  /** Returns when the line is written: what follows may kill the process. */
  write(event: LedgerEvent): void {
    const entry: LedgerEntry = { ...event, process: this.#process, atMs: ledgerNowMs() };
    writeSync(this.#file, `${JSON.stringify(entry)}\n`);
    if (this.#durable) fdatasyncSync(this.#file);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/**
 * All pages, in the order of time.
 * @throws where a line is torn, since then the ledger proves nothing
 */
export function readLedger(directory: string): readonly LedgerEntry[] {
  const entries = readdirSync(directory)
    .filter((file) => file.endsWith(SUFFIX))
    .flatMap((file) => readPage(join(directory, file)));
  return entries.sort((a, b) => a.atMs - b.atMs);
}

function readPage(file: string): LedgerEntry[] {
  const lines = readFileSync(file, "utf8").split("\n");
  const tail = lines.pop();
  if (tail !== "") throw new Error(`${file} ends in a torn line: ${tail}`);
  return lines.map((line) => JSON.parse(line) as LedgerEntry);
}
