import { existsSync, readdirSync, readFileSync } from "node:fs";

/** A page of the documentation, as it comes with the package. */
export interface DocPage {
  /** Its file's name without `.md`: `retries`. */
  readonly topic: string;
  readonly title: string;
  readonly text: string;
}

/** One code of the page on errors. */
export interface ErrorEntry {
  readonly code: string;
  readonly meaning: string;
  readonly advice: string;
}

/** Beside the compiled package, else in the repository. */
const PLACES = ["./docs/", "../../../../docs/"];

/** Every page, by its topic. */
export function docPages(): readonly DocPage[] {
  const folder = PLACES.map((place) => new URL(place, import.meta.url)).find((url) =>
    existsSync(new URL("errors.md", url)),
  );
  if (folder === undefined) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith(".md") && file !== "README.md")
    .toSorted()
    .map((file) => {
      const text = readFileSync(new URL(file, folder), "utf8");
      const title = /^# (.+)$/m.exec(text)?.[1] ?? file;
      return { topic: file.slice(0, -".md".length), title: title.replaceAll("`", ""), text };
    });
}

/** What the page on errors says of a code; undefined where there is no such code. */
export function errorEntry(pages: readonly DocPage[], code: string): ErrorEntry | undefined {
  const page = pages.find(({ topic }) => topic === "errors");
  const row = page?.text.split("\n").find((line) => line.startsWith(`| \`${code}\` `));
  if (row === undefined) return undefined;
  const [, , meaning = "", advice = ""] = row.split("|").map((cell) => cell.trim());
  return { code, meaning, advice };
}

/**
 * The pages that a word may mean: the one of this name, else those whose name or title has it, else
 * those that speak of it, the ones that do so most often first.
 */
export function pagesFor(pages: readonly DocPage[], topic: string): readonly DocPage[] {
  const word = topic.toLowerCase();
  const exact = pages.filter((page) => page.topic === word);
  if (exact.length > 0) return exact;
  const named = pages.filter(({ topic: name, title }) =>
    `${name} ${title}`.toLowerCase().includes(word),
  );
  if (named.length > 0) return named;
  const mentions = ({ text }: DocPage): number => text.toLowerCase().split(word).length - 1;
  return pages
    .filter((page) => mentions(page) > 0)
    .toSorted((a, b) => mentions(b) - mentions(a))
    .slice(0, 10);
}
