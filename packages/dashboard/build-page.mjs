// Bundles the page. A checkout calls it when the page is asked for first; `pnpm build` puts what it
// makes into the package.
import { basename, join } from "node:path";
import { build, stop } from "esbuild";

/** @returns {Promise<{ path: string, body: Uint8Array<ArrayBuffer> }[]>} */
export async function buildPage() {
  const { outputFiles } = await build({
    absWorkingDir: import.meta.dirname,
    entryPoints: [join("page", "main.tsx")],
    outdir: "assets",
    entryNames: "[name]-[hash]",
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2023",
    jsx: "automatic",
    define: { "process.env.NODE_ENV": '"production"' },
    // The libraries' licences ask for their notices to be kept.
    legalComments: "eof",
    write: false,
  });
  // It would stay beside this process for the next build, which does not come.
  await stop();
  return outputFiles.map(({ path, contents }) => ({ path: basename(path), body: contents }));
}
