import { readFileSync } from "node:fs";
import { posix } from "node:path";

/**
 * Puts each picture into a frame that a phone scrolls: shrunk to a phone's width, its text could not
 * be read. A picture that says its size is loaded when its place comes near.
 *
 * @param pages the folder of the pages
 */
export function withPictureFrames(pages) {
  return (markdown) => {
    const image = markdown.renderer.rules.image;
    markdown.renderer.rules.image = (tokens, at, options, env, renderer) => {
      const file = posix.join(pages, posix.dirname(env.relativePath), tokens[at].attrGet("src"));
      for (const [name, pixels] of sizeOf(readFileSync(file)))
        tokens[at].attrSet(name, `${pixels}`);
      return `<span class="picture-frame" tabindex="0">${image(tokens, at, options, env, renderer)}</span>`;
    };
  };
}

/** The width and the height of a PNG, from its header, or of an SVG, from its view box. */
function sizeOf(bytes) {
  const isPng = bytes.subarray(1, 4).toString() === "PNG";
  const [width, height] = isPng
    ? [bytes.readUInt32BE(16), bytes.readUInt32BE(20)]
    : /viewBox="\S+ \S+ (\S+) (\S+)"/.exec(bytes.toString()).slice(1);
  return Object.entries({ width, height });
}
