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

/** What is offered first, and what behind each of those that end with `:`. */
function partsOf(values: readonly string[]): {
  readonly first: readonly string[];
  readonly behind: ReadonlyMap<string, readonly string[]>;
} {
  const first = values.filter((value) => /^[^:]*:?$/.test(value));
  const openers = first.filter((value) => value.endsWith(":"));
  const behind = openers.map((opener): [string, readonly string[]] => [
    opener,
    values.filter((value) => value.startsWith(opener) && value !== opener),
  ]);
  return { first, behind: new Map(behind.filter(([, rest]) => rest.length > 0)) };
}

/** By `<command> --flag field:`, which are three words to bash: what stands behind the colon. */
function behindColons(model: CompletionModel): ReadonlyMap<string, readonly string[]> {
  return new Map(
    [...model.values].flatMap(([flag, values]) =>
      [...partsOf(values).behind].map(([opener, rest]): [string, readonly string[]] => [
        `${flag} ${opener}`,
        rest.map((value) => value.slice(opener.length)),
      ]),
    ),
  );
}

function bash(model: CompletionModel): string {
  const among = (words: readonly string[]): string =>
    `COMPREPLY=($(compgen -W ${quote(words.join(" "))} -- "$current"))`;
  return `# millrace completion for bash: source <(millrace completion bash)
_millrace() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local words=("\${COMP_WORDS[@]:1:COMP_CWORD-1}") word command="" offered=""
${select(model, "words")}
  # A colon is a word of its own, unless COMP_WORDBREAKS lacks it.
  if [[ "$current" == : ]]; then current="" previous="\${COMP_WORDS[COMP_CWORD-2]} $previous:"
  elif [[ "$previous" == : ]]; then previous="\${COMP_WORDS[COMP_CWORD-3]} \${COMP_WORDS[COMP_CWORD-2]}:"
  fi
  case "$command $previous" in
${arms(behindColons(model), (rest) => `${among(rest)}; return`)}
${arms(model.values, (values) => {
  const { first, behind } = partsOf(values);
  if (!first.some((value) => value.endsWith(":"))) return `${among(values)}; return`;
  const whole = [...behind.values()].flat();
  return `case "$current" in
        *:*) ${among(whole)} ;;
        *) ${among(first)}; compopt -o nospace 2>/dev/null ;;
      esac; return`;
})}
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
${arms(model.values, (values) => {
  const { first, behind } = partsOf(values);
  const listed = (words: readonly string[]): string => words.map(quote).join(" ");
  if (!first.some((value) => value.endsWith(":"))) return `compadd -- ${listed(values)}; return`;
  return `case "$current" in
        *:*) compadd -- ${listed([...behind.values()].flat())} ;;
        *) compadd -S '' -- ${listed(first)} ;;
      esac; return`;
})}
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
