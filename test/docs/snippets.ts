import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");
/** What people read: the repository's pages, the site's, and those of each package. */
export const PAGES: readonly string[] = globSync(["*.md", "docs/**/*.md", "packages/*/README.md"], {
  cwd: ROOT,
}).toSorted();

/** A block of code that a page shows and that no file of the repository is. */
export interface Snippet {
  readonly page: string;
  /** The line of the page on which the code begins. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
}

const BLOCK = /(<!-- file: \S+ -->\n+)?^```(\w+)\n([\s\S]*?)^```/gm;
const FENCE = /^( *)(`{3,}|~{3,})(.*)$/gm;

/** Each opening fence of a page: what follows it, and whether it begins its line. */
export function fencesOf(
  text: string,
): readonly { readonly language: string; readonly isIndented: boolean }[] {
  return [...text.matchAll(FENCE)]
    .filter((_, at) => at % 2 === 0)
    .map(([, indent = "", , language = ""]) => ({ language, isIndented: indent !== "" }));
}

/** The blocks of a page in their order, without those that a test compares with a file. */
export function snippetsOf(page: string, text: string): readonly Snippet[] {
  return [...text.matchAll(BLOCK)].flatMap((match): readonly Snippet[] => {
    const [, file, language = "", code = ""] = match;
    if (file !== undefined) return [];
    const line = text.slice(0, match.index).split("\n").length + 1;
    return [{ page, line, language, text: code }];
  });
}

/** One that begins with a comment that names a file is as many files as have such a comment. */
export function filesOf({ text }: Snippet): readonly string[] {
  return text.split(/^(?=\/\/ [\w./-]+\.ts$)/m).filter((part) => part.trim() !== "");
}

/**
 * The module that a compiler reads: before the snippet come the names that its reader knows, as far
 * as the snippet speaks of them and does not say itself what they are.
 */
export function moduleOf(code: string, given: Readonly<Record<string, string>>): string {
  const own = new Set(
    [...code.matchAll(/^(?:export )?(?:const|let|function|class|await using) (\w+)/gm)].map(
      ([, name]) => name,
    ),
  );
  for (const [, names = ""] of code.matchAll(/^(?:import|(?:export )?const) \{([^}]+)\}/gm))
    for (const name of names.split(","))
      own.add(
        name
          .split(/ as |:/)
          .at(-1)
          ?.trim(),
      );
  const words = new Set(code.match(/\b[A-Za-z_]\w*\b/g));
  const declared = Object.entries(given)
    .filter(([name]) => words.has(name) && !own.has(name))
    .map(([name, type]) => `declare const ${name}: ${type};`);
  return `export {}; ${declared.join(" ")}\n${code}`;
}

/** Every snippet of every page, or those of one language. */
export function pageSnippets(language?: string): readonly Snippet[] {
  return PAGES.flatMap((page) => snippetsOf(page, readFileSync(join(ROOT, page), "utf8"))).filter(
    (snippet) => language === undefined || snippet.language === language,
  );
}
