// Draws the packages and their folders in docs/architecture.md from the real imports, between two
// marks. With `--check` it says only whether the page shows them as they are.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { imports, packageImports, withoutComments } from "./imports.mjs";

const PAGE = "docs/architecture.md";
const BEGIN = "<!-- drawn by scripts/draw-architecture.mjs -->";
const END = "<!-- end of what is drawn -->";
/** Packages of fewer arrows between folders are shown as one box. */
const FEWEST_ARROWS = 8;

/** The page as it is to be. */
export function drawn(root) {
  const page = readFileSync(join(root, PAGE), "utf8");
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (after === undefined) throw new Error(`${PAGE} lacks the marks between which it is drawn`);
  return [before, BEGIN, "\n\n", diagrams(join(root, "packages")), "\n\n", END, after].join("");
}

function diagrams(packagesDir) {
  const packages = new Map();
  const inside = [];
  for (const name of readdirSync(packagesDir).toSorted()) {
    const sourceDir = join(packagesDir, name, "src");
    if (!existsSync(sourceDir)) continue;
    const sourceOf = (file) => withoutComments(readFileSync(file, "utf8"));
    packages.set(name, new Set(packageImports(sourceDir, sourceOf)));
    const arrows = reduced(foldersOf(sourceDir, sourceOf));
    if (arrows.length >= FEWEST_ARROWS) inside.push(section(`Folders of \`${name}\``, arrows));
  }
  return [flowchart(reduced(packages)), ...inside].join("\n\n");
}

function section(title, arrows) {
  return [`### ${title}`, flowchart(arrows)].join("\n\n");
}

function flowchart(arrows) {
  const boxes = new Set(arrows.flatMap((arrow) => arrow.split(" --> ")));
  const lines = [
    ...[...boxes].toSorted().map((box) => `${nameOf(box)}["${box}"]`),
    ...arrows.map((arrow) => arrow.split(" --> ").map(nameOf).join(" --> ")),
  ];
  return ["```mermaid", "flowchart LR", ...lines.map((line) => `  ${line}`), "```"].join("\n");
}

/** Mermaid reads a dash in a name as the beginning of an arrow. */
const nameOf = (box) => box.replaceAll("-", "_");

/** Which folder of a package takes values from which; types leave nothing in compiled code. */
function foldersOf(sourceDir, sourceOf) {
  const graph = new Map();
  for (const { from, to, isTypes } of imports(sourceDir, sourceOf)) {
    const [folder, ...file] = from.split("/");
    const [target, ...rest] = to.split("/");
    if (isTypes || file.length === 0 || rest.length === 0 || folder === target) continue;
    graph.set(folder, (graph.get(folder) ?? new Set()).add(target));
  }
  return graph;
}

/** Without the arrows that others imply: `a --> c` where there are `a --> b` and `b --> c`. */
function reduced(graph) {
  const arrows = [];
  for (const [from, targets] of graph)
    for (const to of targets)
      if (![...targets].some((other) => other !== to && reaches(graph, other, to)))
        arrows.push(`${from} --> ${to}`);
  return arrows.toSorted();
}

function reaches(graph, start, goal, seen = new Set()) {
  if (start === goal) return true;
  if (seen.has(start)) return false;
  seen.add(start);
  return [...(graph.get(start) ?? [])].some((next) => reaches(graph, next, goal, seen));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const page = drawn(root);
  const isDrawn = page === readFileSync(join(root, PAGE), "utf8");
  if (!process.argv.includes("--check")) writeFileSync(join(root, PAGE), page);
  else if (!isDrawn) {
    console.error(
      `${PAGE} does not show the imports as they are: node scripts/draw-architecture.mjs`,
    );
    process.exit(1);
  }
}
