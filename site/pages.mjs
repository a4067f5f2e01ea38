// What the site is made of: the pages of docs/ as they are in the repository, with links that work
// on the site. Decides only; build.mjs writes.
import { posix } from "node:path";

/** The parts of the index, each with its pages in the index's order. */
export function navigation(index) {
  return index
    .split(/^## /m)
    .slice(1)
    .map((part) => ({
      text: part.split("\n", 1)[0],
      items: [...part.matchAll(/^\| \[(.+?)\]\(([\w/-]+)\.md\)/gm)].map(([, text, page]) => ({
        text: text.replaceAll("`", ""),
        link: `/${page.replace(/README$/, "")}`,
      })),
    }))
    .filter(({ items }) => items.length > 0);
}

/** Where a page of the repository lies on the site. */
export function placeOf(file) {
  return posix.relative("docs", file).replace(/(^|\/)README\.md$/, "$1index.md");
}

/** A heading's name in links, as where the repository is: the pages are written for that. */
export function placeOfHeading(heading) {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}_ -]/gu, "")
    .replaceAll(" ", "-");
}

/**
 * A page's text for the site. A link to a file that is not on the site becomes its name, because
 * the site can't know where the repository is.
 */
export function pageFor(file, text, onSite) {
  return text.replace(
    /(!?)\[([^\]]+)\]\((?!https?:|#|mailto:)([^)\s#]+)(#[^)\s]*)?\)/g,
    (link, picture, label, path, anchor = "") => {
      if (picture !== "") return link;
      const target = posix.normalize(posix.join(posix.dirname(file), path));
      if (!onSite.has(target)) return /^[`\w]/.test(label) ? `${label} (\`${target}\`)` : label;
      const from = posix.dirname(placeOf(file));
      return `[${label}](${posix.relative(from, placeOf(target)).replace(/^(?!\.)/, "./")}${anchor})`;
    },
  );
}

/** `llms.txt`: the index for programs that read. `base` is where the site begins on its server. */
export function llmsIndex(parts, base = "/") {
  const lines = parts.flatMap(({ text, items }) => [
    `\n## ${text}\n`,
    ...items.map(
      (item) => `- [${item.text}](${base}${item.link.slice(1).replace(/\/$/, "/index")}.md)`,
    ),
  ]);
  return `# Millrace\n\n> Background jobs for TypeScript on NATS JetStream.\n${lines.join("\n")}\n`;
}

/** The table of errors, each code as a section of its own: found by its name, and linked to. */
export function errorSections(text) {
  const rows = [...text.matchAll(/^\| `([a-z-]+)` *\| (.+?) *\| (.+?) *\|$/gm)];
  const sections = rows.map(
    ([, code, meaning, advice]) => `## \`${code}\`\n\n${meaning}\n\n**What to do:** ${advice}\n`,
  );
  const last = rows.at(-1);
  const after = last === undefined ? text : text.slice(last.index + last[0].length);
  return `${text.slice(0, text.indexOf("| code"))}\n${sections.join("\n")}${after}`;
}

/** The page's picture, as one that answers. */
export function withSimulator(text) {
  return text.replace(/^!\[.*\]\(stream\.svg\)$/m, "<StreamSimulator />");
}
