// What a page of the site may load and run: its own files, and no script that was put into it.
import { createHash } from "node:crypto";

/** How the builder makes functions of text, which no policy worth its name allows. */
const EVALUATED = "new Function(`return ${r.slice(7)}`)()";

/**
 * The page with its security policy, which names its few inline scripts by their hashes. Functions
 * of the settings are left out of it: the theme has those of the search.
 */
export function withPolicy(built) {
  if (!built.includes(EVALUATED)) throw new Error("the builder writes functions in another way");
  const html = built.replace(EVALUATED, "undefined");
  const scripts = [...html.matchAll(/<script(?![^>]*\bsrc=)[^>]*>([\s\S]*?)<\/script>/g)].map(
    ([, script]) => `'sha256-${createHash("sha256").update(script).digest("base64")}'`,
  );
  const policy = [
    "default-src 'none'",
    `script-src 'self' ${scripts.join(" ")}`,
    // The highlighter gives each word of code its colours by an attribute.
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  return html.replace(
    "<head>",
    `<head><meta http-equiv="Content-Security-Policy" content="${policy}">`,
  );
}
