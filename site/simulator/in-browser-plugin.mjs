// Lets the site's bundler take the runtime into a page.
import { fileURLToPath } from "node:url";

const IN_BROWSER = fileURLToPath(new URL("in-browser.mjs", import.meta.url));

/**
 * Gives the packages what a browser has in place of Node's modules. Names that it has not are
 * undefined, for what no stream uses.
 */
export function inBrowser() {
  return {
    name: "millrace-in-browser",
    enforce: "pre",
    resolveId: (id, importer = "", { ssr = false } = {}) =>
      !ssr && id.startsWith("node:") && /\/packages\/\w+\/src\//.test(importer)
        ? IN_BROWSER
        : undefined,
    transform: (code, id) =>
      id === IN_BROWSER ? { code, map: null, syntheticNamedExports: true } : undefined,
  };
}
