// Builds the documentation's site into site/dist: node site/build.mjs
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vitepress";
import { errorSections, llmsIndex, navigation, pageFor, placeOf, withSimulator } from "./pages.mjs";
import { told } from "./versions.mjs";
import { linkImports, referenceIndex, writeReference } from "./reference.mjs";

const site = dirname(fileURLToPath(import.meta.url));
const root = dirname(site);
const pages = join(site, "pages");
const files = globSync("docs/**/*.md", { cwd: root }).toSorted();
const read = (file) => readFileSync(join(root, file), "utf8");

/** What the site makes of a page that is more on the site than in the repository. */
const MADE_OF = {
  "docs/errors.md": errorSections,
  "docs/api.md": linkImports,
  "docs/playground.md": withSimulator,
};

rmSync(pages, { recursive: true, force: true });
const onSite = new Set(files);
for (const file of files) {
  const text = pageFor(file, read(file), onSite);
  write(join(pages, placeOf(file)), MADE_OF[file]?.(text) ?? text);
}
await writeReference(pages);
for (const picture of globSync("docs/**/*.{png,svg,webp}", { cwd: root })) {
  const to = join(pages, picture.slice("docs/".length));
  mkdirSync(dirname(to), { recursive: true });
  cpSync(join(root, picture), to);
}
process.chdir(site); // the settings of its compiler are here, not those of the repository
await build(site);

// Every page as it was written, for programs that read, and for people who prefer it.
const dist = join(site, "dist");
const parts = navigation(read("docs/README.md"));
const written = globSync("**/*.md", { cwd: pages });
for (const page of written) {
  mkdirSync(dirname(join(dist, page)), { recursive: true });
  cpSync(join(pages, page), join(dist, page));
}
write(join(dist, "llms.txt"), llmsIndex([...parts, referenceIndex()], told().place));
// Without the reference, which is as long as all the rest together.
const inOrder = parts.flatMap(({ items }) =>
  items.map(({ link }) => join(dist, `${link.replace(/\/$/, "/index")}.md`)),
);
write(join(dist, "llms-full.txt"), inOrder.map((page) => readFileSync(page, "utf8")).join("\n"));
if (!existsSync(join(dist, "index.html"))) throw new Error("the site has no first page");
console.log(`${written.length} pages in ${dist}`);

function write(file, text) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
