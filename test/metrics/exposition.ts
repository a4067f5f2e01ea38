/** One line of a page in Prometheus' text format. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Exposition {
  readonly samples: readonly Sample[];
  readonly types: Readonly<Record<string, string>>;
  /** The sum over all series whose labels are among others these; undefined where there is none. */
  value(name: string, labels?: Readonly<Record<string, string>>): number | undefined;
}

/** What a node's `/metrics` page says now. */
export async function readMetrics(node: {
  readonly healthUrl: string | undefined;
}): Promise<Exposition> {
  const page = await fetch(`${node.healthUrl}/metrics`, { headers: { connection: "close" } });
  return readExposition(await page.text());
}

/**
 * Reads a `/metrics` page as a scraper does.
 *
 * @throws Error on a line that is none of the format's
 */
export function readExposition(page: string): Exposition {
  const samples: Sample[] = [];
  const types: Record<string, string> = {};
  for (const line of page.split("\n")) {
    if (line === "") continue;
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
    if (type?.[1] !== undefined && type[2] !== undefined) types[type[1]] = type[2];
    if (line.startsWith("# ")) continue;
    samples.push(readSample(line));
  }
  return {
    samples,
    types,
    value: (name, labels = {}) => {
      const found = samples.filter(
        (sample) =>
          sample.name === name &&
          Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
      );
      return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
    },
  };
}

function readSample(line: string): Sample {
  const [, name, labels = "", number] = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  const value = number === "+Inf" ? Number.POSITIVE_INFINITY : Number(number);
  if (name === undefined || Number.isNaN(value)) throw new Error(`no sample: ${line}`);
  const pairs = [...labels.matchAll(/([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"(?:,|$)/g)];
  if (pairs.map(([pair]) => pair).join("") !== labels) throw new Error(`no labels: ${line}`);
  return {
    name,
    labels: Object.fromEntries(pairs.map(([, label = "", text = ""]) => [label, text])),
    value,
  };
}
