/** `package.json` says the same; package managers only warn of it. */
const OLDEST = { major: 22, minor: 18 };

/**
 * Imports nothing: it is read by a Node that may understand nothing else of Millrace.
 *
 * @returns what is wrong with the Node that runs this; undefined where it will do
 */
export function nodeProblem({
  node,
  bun,
  deno,
}: Readonly<NodeJS.Dict<string>>): string | undefined {
  // They name the Node that they are like.
  if (bun !== undefined || deno !== undefined || node === undefined) return undefined;
  const [major = 0, minor = 0] = node.split(".").map(Number);
  if (major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor)) return undefined;
  return `Millrace needs Node.js ${OLDEST.major}.${OLDEST.minor} or later, and this is ${node}. Install a newer one: https://nodejs.org.`;
}
