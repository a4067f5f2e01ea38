// Folders of a package whose values import one another in a circle: such folders are one folder, or
// a file lies in the wrong one. Types are left out, since the compiled code doesn't import them;
// tests are too, for they may reach everywhere. A file above the folders puts them together, and
// may import any of them.
import { join } from "node:path";
import { imports } from "./imports.mjs";

/**
 * One line for each import that lies on a circle of folders, at every depth.
 *
 * @param sourceOf a file's text without its comments
 */
export function folderCycles(sourceDir, sourceOf) {
  const levels = new Map();
  for (const { from, to, isTypes } of imports(sourceDir, sourceOf)) {
    if (isTypes) continue;
    const step = parting(from, to);
    if (step === undefined) continue;
    const arrows = levels.get(step.level) ?? new Map();
    levels.set(step.level, arrows);
    const targets = arrows.get(step.from) ?? new Map();
    arrows.set(step.from, targets);
    targets.set(step.to, `${from} imports ${to}`);
  }
  const found = [];
  for (const [level, arrows] of levels)
    for (const [from, targets] of arrows)
      for (const [to, example] of targets)
        if (reaches(arrows, to, from))
          found.push(`${join(level, from)} and ${join(level, to)} import one another: ${example}`);
  return found.toSorted();
}

/** Where the ways to two files part, if both go on into a folder there. */
function parting(from, to) {
  const [a, b] = [from.split("/"), to.split("/")];
  let depth = 0;
  while (a[depth] === b[depth] && depth < Math.min(a.length, b.length)) depth += 1;
  if (depth >= a.length - 1 || depth >= b.length - 1) return undefined;
  return { level: a.slice(0, depth).join("/"), from: a[depth], to: b[depth] };
}

function reaches(arrows, start, goal) {
  const seen = new Set();
  const open = [start];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (at === goal) return true;
    if (seen.has(at)) continue;
    seen.add(at);
    open.push(...(arrows.get(at)?.keys() ?? []));
  }
  return false;
}
