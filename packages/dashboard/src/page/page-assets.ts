import { readdir, readFile } from "node:fs/promises";

/** A built file of the page. Its name holds a hash of what is in it. */
export interface PageAsset {
  readonly path: string;
  readonly body: Uint8Array<ArrayBuffer>;
}

const TYPES: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
};

export function typeOf({ path }: Pick<PageAsset, "path">): string {
  return TYPES[path.split(".").at(-1) ?? ""] ?? "application/octet-stream";
}

let loaded: Promise<readonly PageAsset[]> | undefined;

/**
 * The page's files: of a published package those that were built with it; of a checkout, whose
 * packages run from their sources, built now, once in the process's life.
 */
export function pageAssets(): Promise<readonly PageAsset[]> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<readonly PageAsset[]> {
  if (import.meta.url.endsWith(".ts")) {
    // Not in what is published, so it must not be found by who looks for imports.
    const builder = new URL("../../build-page.mjs", import.meta.url).href;
    const { buildPage } = (await import(builder)) as {
      readonly buildPage: () => Promise<readonly PageAsset[]>;
    };
    return buildPage();
  }
  const folder = new URL("./assets/", import.meta.url);
  const names = (await readdir(folder)).toSorted();
  return Promise.all(
    names.map(async (path) => ({
      path,
      body: new Uint8Array(await readFile(new URL(path, folder))),
    })),
  );
}
