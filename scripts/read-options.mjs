import { parseArgs } from "node:util";

/**
 * Reads what a command was called with. `--help` prints the usage and ends with 0; what can't be
 * understood is said in one line, and ends with 2.
 *
 * @param {string} command for messages
 * @param {string} usage
 * @param {import("node:util").ParseArgsConfig["options"]} options of `parseArgs`, without `help`
 */
export function readOptions(command, usage, options) {
  if (process.argv.includes("--help")) {
    console.log(usage);
    process.exit(0);
  }
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    console.error(`${command}: ${error.message} (--help says more)`);
    process.exit(2);
  }
}
