import type { WriteStream } from "node:tty";

const BAR_WIDTH = 30;

export interface Progress {
  show(done: number): void;
  /** A line of its own, above the bar. */
  say(line: string): void;
  end(): void;
}

/** A bar on a terminal; elsewhere one line for each tenth of the work. */
export function createProgress(total: number, out: Pick<WriteStream, "write" | "isTTY">): Progress {
  return out.isTTY ? terminalBar(total, out) : plainLines(total, out);
}

function terminalBar(total: number, out: Pick<WriteStream, "write">): Progress {
  let bar = "";
  return {
    show: (done) => {
      const filled = Math.round((done / total) * BAR_WIDTH);
      bar = `\r  ${"█".repeat(filled)}${"░".repeat(BAR_WIDTH - filled)} ${done}/${total} jobs`;
      out.write(bar);
    },
    say: (line) => out.write(`\r\x1b[2K${line}\n${bar}`),
    end: () => out.write("\n"),
  };
}

function plainLines(total: number, out: Pick<WriteStream, "write">): Progress {
  let told = 0;
  return {
    show: (done) => {
      const tenth = Math.floor((done / total) * 10);
      if (tenth <= told) return;
      told = tenth;
      out.write(`  ${done}/${total} jobs\n`);
    },
    say: (line) => out.write(`${line}\n`),
    end: () => {},
  };
}
