import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { navigation, placeOfHeading } from "../pages.mjs";
import { referenceSidebar, searchedText } from "../reference.mjs";
import { withPictureFrames } from "../picture-frames.mjs";
import { withPolicy } from "../policy.mjs";
import { told } from "../versions.mjs";
import { searchOptions } from "../search-options.mjs";
import { inBrowser } from "../simulator/in-browser-plugin.mjs";

const index = readFileSync(new URL("../../docs/README.md", import.meta.url), "utf8");
const pages = fileURLToPath(new URL("../pages", import.meta.url));
const version = told();

export default {
  base: version.place,
  title: "Millrace",
  description: "Background jobs for TypeScript on NATS JetStream",
  srcDir: "pages",
  outDir: "dist",
  cacheDir: "../node_modules/.cache/millrace-site",
  cleanUrls: false,
  lastUpdated: false,
  // Fonts come with the site or from the reader's machine: it asks nobody else for anything.
  head: [["meta", { name: "referrer", content: "no-referrer" }]],
  // The largest file is the search's index, which is loaded when somebody searches: a test weighs it.
  vite: {
    build: { target: "es2022", chunkSizeWarningLimit: 1_000 },
    plugins: [inBrowser()],
  },
  transformHtml: withPolicy,
  markdown: {
    anchor: { slugify: placeOfHeading },
    image: { lazyLoading: true },
    // A NATS server's configuration, which no highlighter knows, looks much like that.
    languageAlias: { nats: "hcl" },
    config: withPictureFrames(pages),
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
  },
  themeConfig: {
    nav: [
      { text: "Tutorial", link: "/tutorial" },
      { text: "Guides", link: "/jobs" },
      { text: "Reference", link: "/cli" },
      { text: "API", link: "/api" },
      {
        component: "VersionSwitch",
        props: { name: version.name, versions: version.versions },
      },
    ],
    sidebar: { "/reference/": referenceSidebar(pages), "/": navigation(index) },
    outline: [2, 3],
    search: {
      provider: "local",
      options: {
        miniSearch: searchOptions,
        _render: (text, env, markdown) =>
          markdown.render(searchedText(env.relativePath, text), env),
      },
    },
  },
};
