import type { WriteStream } from "node:tty";

const BAR_WIDTH = 30;

export interface Progress {
  show(done: number): void;
  end(): void;
}

/** A bar on a terminal; elsewhere one line for each tenth of the work. */
export function createProgress(total: number, out: Pick<WriteStream, "write" | "isTTY">): Progress {
  return out.isTTY ? terminalBar(total, out) : plainLines(total, out);
}

function terminalBar(total: number, out: Pick<WriteStream, "write">): Progress {
  return {
    show: (done) => {
      const filled = Math.round((done / total) * BAR_WIDTH);
      const bar = `\r  ${"█".repeat(filled)}${"░".repeat(BAR_WIDTH - filled)} ${done}/${total} jobs`;
      out.write(bar);
    },
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
    end: () => {},
  };
}
