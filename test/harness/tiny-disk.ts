import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A file system of its own with hardly any room. */
export interface TinyDisk {
  readonly dir: string;
  /** Bytes that are left on it. */
  left(): number;
  grow(bytes: number): void;
  remove(): void;
}

/** Why no disk can be made here; undefined where one can. */
export function tinyDiskMissing(): string | undefined {
  try {
    mountTinyDisk(65_536).remove();
    return undefined;
  } catch {
    return "a small tmpfs can't be mounted here (that takes Linux and root)";
  }
}

export function mountTinyDisk(bytes: number): TinyDisk {
  const dir = mkdtempSync(join(tmpdir(), "millrace-tiny-disk-"));
  const mount = (options: string): void => {
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", dir], { stdio: "pipe" });
  };
  try {
    mount(`size=${bytes}`);
  } catch (error) {
    rmSync(dir, { recursive: true });
    throw error;
  }
  return {
    dir,
    left() {
      const { bavail, bsize } = statfsSync(dir);
      return bavail * bsize;
    },
    grow: (size) => mount(`remount,size=${size}`),
    remove() {
      execFileSync("umount", [dir], { stdio: "pipe" });
      rmSync(dir, { recursive: true });
    },
  };
}
