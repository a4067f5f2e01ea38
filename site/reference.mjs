// The reference of the programming interface, out of the docstrings: one page for each export.
import { globSync, rmSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { Application, Converter, PageEvent } from "typedoc";

const site = dirname(fileURLToPath(import.meta.url));

/** What programs import, and the file that lists its exports. tsconfig.json has the same files. */
const IMPORTS = {
  millrace: "../packages/millrace/src/index.ts",
  "millrace/testing": "../packages/millrace/src/testing/index.ts",
  "millrace/telemetry": "../packages/millrace/src/telemetry/index.ts",
  "millrace/outbox": "../packages/millrace/src/outbox/index.ts",
  "millrace/dashboard": "../packages/millrace/src/dashboard.ts",
  "@millrace/testkit": "../packages/testkit/src/index.ts",
};

/** The folder of the reference on the site. Its first page is `docs/api.md`. */
const PLACE = "reference";

/** Where each import's page lies on the site. The longer name is behind its beginning. */
const importPages = new Map(
  Object.keys(IMPORTS).map((name) => [name, posix.join(PLACE, name, "index.md")]),
);

/**
 * Writes the reference below a folder. Fails where an export has no docstring, or a docstring's link
 * leads nowhere, and names it.
 */
export async function writeReference(pages) {
  const app = await Application.bootstrapWithPlugins({
    name: "API reference",
    entryPoints: Object.values(IMPORTS).map((file) => join(site, file)),
    tsconfig: join(site, "tsconfig.json"),
    // The repository's own compiler, which is another version, checks the sources.
    skipErrorChecking: true,
    plugin: ["typedoc-plugin-markdown"],
    outputs: [{ name: "markdown", path: join(pages, PLACE) }],
    router: "member",
    entryFileName: "index",
    readme: "none",
    disableGit: true,
    disableSources: true,
    excludePrivate: true,
    excludeInternal: true,
    excludeExternals: true,
    hidePageHeader: true,
    hideBreadcrumbs: true,
    indexFormat: "table",
    parametersFormat: "table",
    typeDeclarationFormat: "table",
    logLevel: "Warn",
    validation: { notExported: false, invalidLink: true, invalidPath: true, notDocumented: false },
  });
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const [at, name] of Object.keys(IMPORTS).entries()) project.children[at].name = name;
  });
  app.renderer.on(PageEvent.END, (page) => {
    const from = [...importPages].findLast(([, index]) =>
      posix.join(PLACE, page.url).startsWith(`${posix.dirname(index)}/`),
    );
    if (from === undefined || page.url.endsWith("/index.md")) return;
    page.contents = page.contents.replace(
      /^# .*\n/,
      `$&\nImported from [\`${from[0]}\`](../index.md).\n`,
    );
  });
  const project = await app.convert();
  app.validate(project);
  for (const name of undocumented(project)) app.logger.error(`${name} has no docstring`);
  if (app.logger.hasErrors() || app.logger.hasWarnings())
    throw new Error("the API reference has the faults above");
  await app.generateOutputs(project);
  rmSync(join(pages, PLACE, "index.md")); // `docs/api.md` is instead
}

/** A page's text, with links from the names of what is imported to their pages. */
export function linkImports(text) {
  return text.replace(/^\| `(\S+)`( *\|)/gm, (row, name, rest) =>
    importPages.has(name) ? `| [\`${name}\`](./${importPages.get(name)})${rest}` : row,
  );
}

/**
 * What the search reads of a page of the reference: its title, what it is for, and the names of its
 * members. All of it would make the index twice as large, which whoever searches has to load.
 */
export function searchedText(page, text) {
  if (!page.startsWith(`${PLACE}/`)) return text;
  const [about] = text.split(/^## /m, 1);
  const members = [...text.matchAll(/^### (\w+)/gm)].map(([, name]) => name);
  return `${about}\n${members.join(", ")}\n`;
}

/** The reference as a part of the index: the pages of the imports. */
export function referenceIndex() {
  const items = [...importPages].map(([text, page]) => ({
    text,
    link: `/${posix.dirname(page)}/`,
  }));
  return { text: "API reference", items };
}

/** The reference's sidebar: for each import its kinds, for each kind its exports. */
export function referenceSidebar(pages) {
  return [...importPages].map(([name, index]) => {
    const start = posix.dirname(index);
    const members = globSync("*/*.md", { cwd: join(pages, start) }).toSorted();
    const kinds = Map.groupBy(
      members.filter((page) => posix.basename(page) !== "index.md"),
      (page) => posix.dirname(page),
    );
    return {
      text: name,
      link: `/${start}/`,
      collapsed: true,
      items: [...kinds].map(([kind, inKind]) => ({
        text: kind.replace("-", " ").replace(/^./, (first) => first.toUpperCase()),
        items: inKind.map((page) => ({
          text: posix.basename(page, ".md"),
          link: `/${start}/${page.replace(/\.md$/, "")}`,
        })),
      })),
    };
  });
}

/** The exports without a docstring. A function has its own, or one for a way to call it. */
function undocumented(project) {
  return project.children
    .flatMap(({ children = [] }) => children)
    .filter((member) => !member.isReference())
    .filter((member) => ![member, ...(member.signatures ?? [])].some((part) => part.hasComment()))
    .map((member) => member.getFullName());
}
