import { MillraceError } from "@millrace/core";
import { command } from "../command.ts";
import { completionScript, SHELLS } from "../completion/scripts.ts";
import { completionModel } from "../completion/model.ts";

export const completion = command({
  name: "completion",
  summary: "Print a script that completes commands and flags in bash, zsh or fish",
  usage: "SHELL",
  args: { min: 1, max: 1 },
  flags: {},
  fields: [],
  examples: [
    ["millrace completion bash", "In ~/.bashrc: source <(millrace completion bash)"],
    ["millrace completion zsh", "In ~/.zshrc, after compinit: source <(millrace completion zsh)"],
    ["millrace completion fish > ~/.config/fish/completions/millrace.fish", "For fish"],
  ],
  async run({ args: [name] }) {
    const shell = SHELLS.find((one) => one === name);
    if (shell === undefined)
      throw new MillraceError(
        "invalid-option",
        `millrace completion takes one of ${SHELLS.join(", ")}; got ${JSON.stringify(name)}.`,
      );
    // This command is in the list itself.
    const { COMMANDS } = await import("../command-list.ts");
    const script = completionScript(shell, completionModel(COMMANDS));
    return { json: { shell, script }, text: () => script };
  },
});
