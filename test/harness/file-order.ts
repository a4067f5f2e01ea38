import { relative, sep } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Files that compile a program of another language first: busy, while most others wait for
 * processes and leases.
 */
const BUILDING = ["test/harness/jaeger/", "test/wire/"];
/**
 * Folders of the files that take longest, then of those that take seconds; what is in none takes
 * milliseconds.
 */
const WAITING = ["test/reliability/", "bench/", "test/", "examples/"];
/**
 * Of so many files one builds, as long as there are any that do: seldom enough that not all workers
 * wait for compilers at once.
 */
const ONE_IN = 8;

/**
 * The order in which workers take the files: the long ones first, so that none of them is what a
 * run waits for at its end, and those that keep the cores busy spread among those that don't.
 * Otherwise as it was. Pure.
 *
 * @param paths relative to the root, with `/`
 */
export function fileOrder(paths: readonly string[]): readonly string[] {
  const building = paths
    .filter((path) => rankIn(BUILDING, path) < BUILDING.length)
    .toSorted((a, b) => rankIn(BUILDING, a) - rankIn(BUILDING, b));
  const waiting = paths
    .filter((path) => !building.includes(path))
    .toSorted((a, b) => rankIn(WAITING, a) - rankIn(WAITING, b));
  const order: string[] = [];
  while (building.length + waiting.length > 0)
    order.push(...building.splice(0, 1), ...waiting.splice(0, ONE_IN - 1));
  return order;
}

function rankIn(folders: readonly string[], path: string): number {
  const rank = folders.findIndex((folder) => path.startsWith(folder));
  return rank === -1 ? folders.length : rank;
}

/**
 * Vitest's own order (what failed, what took long the last time, what is large), put into
 * `fileOrder`: first of the files with a process each, then of those that share some, which are
 * short. A shared process goes on for as long as files of its kind follow.
 */
export class FileOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { root } = this.ctx.config;
    const sorted = await super.sort(files);
    return [true, false].flatMap((isolate) => {
      const byPath = new Map(
        sorted
          .filter((file) => file.project.config.isolate === isolate)
          .map((file) => [relative(root, file.moduleId).split(sep).join("/"), file]),
      );
      return fileOrder([...byPath.keys()]).flatMap((path) => byPath.get(path) ?? []);
    });
  }
}
