import type { PageAsset } from "./page-assets.ts";

/** The one document. Its addresses are relative to the place where the dashboard is mounted. */
export function pageHtml(base: string, assets: readonly PageAsset[]): string {
  const links = assets.flatMap(({ path }) =>
    path.endsWith(".css")
      ? [`<link rel="stylesheet" href="assets/${path}">`]
      : path.endsWith(".js")
        ? [`<script type="module" src="assets/${path}"></script>`]
        : [],
  );
  return [
    "<!doctype html>",
    '<html lang="en">',
    "<head>",
    '<meta charset="utf-8">',
    `<base href="${escaped(base)}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    '<meta name="robots" content="noindex">',
    '<link rel="icon" href="data:,">',
    "<title>Millrace</title>",
    ...links,
    "</head>",
    "<body>",
    '<div id="root"></div>',
    "<noscript>The dashboard needs JavaScript. The command <code>millrace</code> does not.</noscript>",
    "</body>",
    "</html>",
    "",
  ].join("\n");
}

function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll('"', "&quot;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
}
