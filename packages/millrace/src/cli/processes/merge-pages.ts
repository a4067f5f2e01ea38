/** A page of metrics, and the process that it is of. */
export interface ProcessPage {
  readonly process: number;
  /** In Prometheus' text format. */
  readonly page: string;
}

interface Family {
  /** `# HELP` and `# TYPE`. */
  readonly about: string[];
  readonly samples: string[];
}

/**
 * One page of the pages of several processes. Each sample says which process it is of (the label
 * `process`), and what belongs to one metric stands together, as the format wants it.
 */
export function mergePages(pages: readonly ProcessPage[]): string {
  const families = new Map<string, Family>();
  for (const { process, page } of pages) {
    let name = "";
    for (const line of page.split("\n")) {
      if (line.trim() === "") continue;
      const [, told] = /^# (?:HELP|TYPE) (\S+)/.exec(line) ?? [];
      if (told !== undefined) name = told;
      else if (line.startsWith("#")) continue;
      const family = families.get(name) ?? { about: [], samples: [] };
      families.set(name, family);
      if (told === undefined) family.samples.push(labelled(line, process));
      else if (!family.about.includes(line)) family.about.push(line);
    }
  }
  const lines = [...families.values()].flatMap(({ about, samples }) => [...about, ...samples]);
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

function labelled(sample: string, process: number): string {
  const label = `process="${process}"`;
  const brace = sample.indexOf("{");
  const blank = sample.indexOf(" ");
  if (brace === -1 || (blank !== -1 && blank < brace))
    return `${sample.slice(0, blank)}{${label}}${sample.slice(blank)}`;
  const rest = sample.slice(brace + 1);
  return `${sample.slice(0, brace)}{${label}${rest.startsWith("}") ? "" : ","}${rest}`;
}
