import { readFileSync } from "node:fs";
import { navigation } from "../pages.mjs";
import { searchOptions } from "../search-options.mjs";

const index = readFileSync(new URL("../../docs/README.md", import.meta.url), "utf8");

export default {
  title: "Millrace",
  description: "Background jobs for TypeScript on NATS JetStream",
  srcDir: "pages",
  outDir: "dist",
  cacheDir: "../node_modules/.cache/millrace-site",
  cleanUrls: false,
  lastUpdated: false,
  // Fonts come with the site or from the reader's machine: it asks nobody else for anything.
  head: [["meta", { name: "referrer", content: "no-referrer" }]],
  vite: { build: { target: "es2022" } },
  themeConfig: {
    nav: [
      { text: "Tutorial", link: "/tutorial" },
      { text: "Guides", link: "/jobs" },
      { text: "Reference", link: "/cli" },
    ],
    sidebar: navigation(index),
    outline: [2, 3],
    search: { provider: "local", options: { miniSearch: searchOptions } },
  },
};
