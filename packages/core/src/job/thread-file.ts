import { existsSync } from "node:fs";
import { MillraceError } from "../errors/millrace-error.ts";

/**
 * The file that a thread runs. It lies beside the module that starts the thread: compiled beside a
 * compiled one, source beside source. A bundler that doesn't know of it leaves it out.
 *
 * @param moduleUrl `import.meta.url` of that module; a bundle in CommonJS has none
 * @param name without its extension
 * @throws MillraceError `incomplete-bundle`
 */
export function threadFile(moduleUrl: string | undefined, name: string): URL {
  if (moduleUrl === undefined)
    throw incomplete(
      `A bundle in CommonJS doesn't say where it lies, and ${name}.js has to be found beside it.`,
    );
  const url = new URL(`./${name}${moduleUrl.endsWith(".ts") ? ".ts" : ".js"}`, moduleUrl);
  if (url.protocol !== "file:" || existsSync(url)) return url;
  throw incomplete(`${url.pathname} is not there, and a thread of Millrace runs it.`);
}

function incomplete(what: string): MillraceError {
  return new MillraceError(
    "incomplete-bundle",
    `${what} Leave Millrace out of the bundle (esbuild: --packages=external) and install it where the program runs; or see docs/runtimes.md.`,
  );
}
