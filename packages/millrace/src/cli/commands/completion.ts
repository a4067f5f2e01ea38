import { oneOf } from "../../config/field-kinds.ts";
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
    const shell = oneOf(...SHELLS).parse(name);
    // This command is in the list itself.
    const { COMMANDS } = await import("../command-list.ts");
    const script = completionScript(shell, completionModel(COMMANDS));
    return { json: { shell, script }, text: () => script };
  },
});
