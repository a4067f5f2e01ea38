/** What a reader of a page does, step by step. */
export type Step =
  | { readonly kind: "write"; readonly file: string; readonly text: string }
  | { readonly kind: "type"; readonly line: string }
  /** A command that goes on, and what it prints once others may be typed. */
  | { readonly kind: "leave"; readonly line: string; readonly ready: RegExp }
  | { readonly kind: "see"; readonly text: string };

const BLOCK =
  /(?:<!-- (?<mark>file|stays|shows)(?:: (?<said>.+?))? -->\n+)?```(?<language>\w+)\n(?<text>[\s\S]*?)```/g;

/**
 * The blocks of a page in their order: a file that is written (`<!-- file: … -->`), lines that are
 * typed (`sh`), one that is left running (`<!-- stays: what it prints -->`), and what the line
 * before must have printed (`<!-- shows -->`). Other blocks are only read.
 */
export function stepsOf(page: string): readonly Step[] {
  return [...page.matchAll(BLOCK)].flatMap(({ groups = {} }): readonly Step[] => {
    const { mark, said = "", language, text = "" } = groups;
    if (mark === "file") return [{ kind: "write", file: said, text }];
    if (mark === "shows") return [{ kind: "see", text }];
    if (language !== "sh") return [];
    const lines = text.trim().split("\n");
    return mark === "stays"
      ? lines.map((line) => ({ kind: "leave", line, ready: new RegExp(`^${said}`) }))
      : lines.map((line) => ({ kind: "type", line }));
  });
}

/** Output without what differs from run to run: times, durations, names of nodes, widths. */
export function steady(output: string): string {
  return output
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
    .replace(/\b\d+(\.\d+)?m?s\b/g, "TOOK")
    .replace(/\b[\w.-]+-\d+-\w{4}\b/g, "NODE")
    .replace(/ +/g, " ")
    .replace(/ +$/gm, "")
    .trim();
}
