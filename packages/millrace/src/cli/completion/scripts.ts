import type { Candidate, CompletionModel } from "./model.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** The script for one shell. Pure. */
export function completionScript(shell: Shell, model: CompletionModel): string {
  switch (shell) {
    case "bash":
      return bash(model);
    case "zsh":
      return zsh(model);
    case "fish":
      return fish(model);
  }
}

/** The command among the words so far: one, or two where the first is a group's. */
function select(model: CompletionModel, list: string): string {
  const groups = [...model.words.keys()].filter((after) => after !== "").map(quote);
  return `  for word in "\${${list}[@]}"; do
    case "$word" in -*) break ;; esac
    command="\${command:+$command }$word"
    case "$command" in ${groups.join("|")}) ;; *) break ;; esac
  done`;
}

function bash(model: CompletionModel): string {
  return `# millrace completion for bash: source <(millrace completion bash)
_millrace() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local words=("\${COMP_WORDS[@]:1:COMP_CWORD-1}") word command="" offered=""
${select(model, "words")}
  case "$command $previous" in
${arms(model.values, (values) => `COMPREPLY=($(compgen -W ${quote(values.join(" "))} -- "$current")); return`)}
  esac
  case "$current" in
    -*) case "$command" in
${arms(model.flags, (flags) => `offered=${quote(flags.map(({ word }) => word).join(" "))}`)}
    esac ;;
    *) case "$command" in
${arms(model.words, (words) => `offered=${quote(words.map(({ word }) => word).join(" "))}`)}
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$offered" -- "$current"))
}
complete -o default -F _millrace millrace
`;
}

function zsh(model: CompletionModel): string {
  const described = (candidates: readonly Candidate[]): string =>
    `offered=(${candidates.map(({ word, about }) => quote(`${word.replaceAll(":", "\\:")}:${about}`)).join(" ")})`;
  return `#compdef millrace
# millrace completion for zsh: source <(millrace completion zsh)
_millrace() {
  local current="\${words[CURRENT]}" previous="\${words[CURRENT-1]}"
  local line=("\${(@)words[2,CURRENT-1]}") word command=""
  local -a offered
${select(model, "line")}
  case "$command $previous" in
${arms(model.values, (values) => `compadd -- ${values.map(quote).join(" ")}; return`)}
  esac
  case "$current" in
    -*) case "$command" in
${arms(model.flags, described)}
    esac ;;
    *) case "$command" in
${arms(model.words, described)}
    esac ;;
  esac
  if (( \${#offered} )); then _describe millrace offered; else _files; fi
}
compdef _millrace millrace
`;
}

function fish({ words, flags, values }: CompletionModel): string {
  const firsts = (words.get("") ?? []).map(({ word }) => word);
  const lines = [
    "# millrace completion for fish: millrace completion fish > ~/.config/fish/completions/millrace.fish",
  ];
  for (const [after, candidates] of words)
    for (const { word, about } of candidates) {
      const where =
        after === ""
          ? `not __fish_seen_subcommand_from ${firsts.join(" ")}`
          : `__fish_seen_subcommand_from ${after}; and not __fish_seen_subcommand_from ${candidates.map((one) => one.word).join(" ")}`;
      lines.push(`complete -c millrace -f -n ${quote(where)} -a ${word} -d ${quote(about)}`);
    }
  for (const [command, candidates] of flags) {
    const where = command
      .split(" ")
      .map((word) => `__fish_seen_subcommand_from ${word}`)
      .join("; and ");
    for (const { word, about } of candidates) {
      const choices = values.get(`${command} ${word}`);
      const takes = choices === undefined ? "" : ` -xa ${quote(choices.join(" "))}`;
      lines.push(
        `complete -c millrace -n ${quote(where)} -l ${word.slice(2)} -d ${quote(about)}${takes}`,
      );
    }
  }
  return `${lines.join("\n")}\n`;
}

function arms<Value>(map: ReadonlyMap<string, Value>, body: (value: Value) => string): string {
  return [...map]
    .map(([pattern, value]) => `      ${quote(pattern)}) ${body(value)} ;;`)
    .join("\n");
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
