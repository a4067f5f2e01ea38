import {
  type Broker,
  chartOf,
  chartsKey,
  findToReplace,
  type MachineChart,
  type MachineDefinition,
  MACHINES_BUCKET,
  MillraceError,
  MOST_CHARTS,
  readCharts,
} from "@millrace/core";

/** Nodes that begin at the same time write one after another. */
const MOST_WRITERS = 20;

/**
 * Stores the picture of a machine's chart where pages find it, beside those of its other versions.
 * If two programs have different charts under one version, the chart of the one that starts last
 * counts.
 */
export async function publishChart(
  broker: Pick<Broker, "documents">,
  { name, version, machine }: Pick<MachineDefinition, "name" | "version" | "machine">,
): Promise<void> {
  const documents = await broker.documents(MACHINES_BUCKET);
  const key = chartsKey(name);
  const mine = chartOf(name, version, machine);
  for (let writers = 0; writers < MOST_WRITERS; writers += 1) {
    const found = await findToReplace(documents, key);
    const before = readCharts(found?.value)?.charts ?? [];
    if (before.some((chart) => isSame(chart, mine))) return;
    const charts = [...before.filter((chart) => chart.version !== version), mine]
      .toSorted((a, b) => a.version - b.version)
      .slice(-MOST_CHARTS);
    try {
      await documents.put(key, { v: 1, charts }, found?.revision ?? 0);
      return;
    } catch (error) {
      if (!MillraceError.is(error, "revision-conflict")) throw error;
    }
  }
}

/** Both are plain, and their keys are in one order: one function has made them. */
function isSame(one: MachineChart, other: MachineChart): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
