const FRAME = /^\s+at (?:async )?(?:(?<called>.+) \()?(?<file>[^()]+?):\d+:\d+\)?$/;
/** Of Node.js, of a library, or of nobody's file. */
const FOREIGN = /^(?:node:|native|<|internal\/)|[\\/]node_modules[\\/]|<anonymous>/;
/** What a bundler puts behind a name, anew for each build: `-D8fkQz3a` of `worker-D8fkQz3a.mjs`. */
const BUILD = /(?<=[-.])(?=\w*(?:\d|[a-z][A-Z]|[A-Z]{2}))\w{6,}(?=\.)/g;
const LONGEST = 120;

/**
 * Where the application's own code was when it failed: the function and the name of its file. Not
 * the line, because each deployment that adds a line above it would begin another group; and not
 * the folder, which differs from machine to machine and from `src` to `dist`.
 *
 * @param message it stands before the frames, and may have lines that look like one
 */
export function ownFrame(stack: string, message: string): string | undefined {
  const begins = message === "" ? -1 : stack.indexOf(message);
  const lines = stack.slice(begins < 0 ? 0 : begins + message.length).split("\n");
  for (const line of lines) {
    const { called, file } = FRAME.exec(line)?.groups ?? {};
    if (file === undefined || FOREIGN.test(file)) continue;
    const name = (file.split(/[\\/]/).at(-1) ?? file).replace(/[?#].*$/, "");
    const plain = name.replaceAll(BUILD, "*");
    const by = called?.replace(/ \[as [^\]]*\]$/, "");
    return (by === undefined ? plain : `${by} (${plain})`).slice(0, LONGEST).toWellFormed();
  }
  return undefined;
}
