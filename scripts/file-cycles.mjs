// Files of a package that import one another in a circle, types too: who reads one of them has to
// read all. What both need belongs into the one that lies lower, or into a file of its own.
import { imports } from "./imports.mjs";

/**
 * One line for each circle: its files, in the order of their names.
 *
 * @param sourceOf a file's text without its comments
 */
export function fileCycles(sourceDir, sourceOf) {
  const arrows = new Map();
  for (const { from, to } of imports(sourceDir, sourceOf))
    arrows.set(from, [...(arrows.get(from) ?? []), to]);
  return circles(arrows).map((files) => files.toSorted().join(", "));
}

/**
 * The sets of nodes that reach one another. Source: Tarjan, Depth-first search and linear graph
 * algorithms, SIAM J. Comput. 1972.
 */
function circles(arrows) {
  const found = [];
  const order = new Map();
  const lowest = new Map();
  const open = [];
  const visit = (node) => {
    order.set(node, order.size);
    lowest.set(node, order.get(node));
    open.push(node);
    for (const next of arrows.get(node) ?? []) {
      if (!order.has(next)) visit(next);
      else if (!open.includes(next)) continue;
      lowest.set(node, Math.min(lowest.get(node), lowest.get(next)));
    }
    if (lowest.get(node) !== order.get(node)) return;
    const circle = open.splice(open.indexOf(node));
    if (circle.length > 1) found.push(circle);
  };
  for (const node of arrows.keys()) if (!order.has(node)) visit(node);
  return found;
}
