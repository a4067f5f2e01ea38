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

/**
 * The width and the height of a PNG or of a WebP as Chromium writes it, from its header, or of an
 * SVG, from its view box.
 */
function sizeOf(bytes) {
  const [width, height] = sidesOf(bytes);
  return Object.entries({ width, height });
}

function sidesOf(bytes) {
  if (bytes.subarray(1, 4).toString() === "PNG")
    return [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  if (bytes.subarray(8, 16).toString() === "WEBPVP8X")
    return [bytes.readUIntLE(24, 3) + 1, bytes.readUIntLE(27, 3) + 1];
  return /viewBox="\S+ \S+ (\S+) (\S+)"/.exec(bytes.toString()).slice(1);
}
