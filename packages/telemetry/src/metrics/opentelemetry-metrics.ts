import {
  type Attributes,
  type BatchObservableResult,
  createNoopMeter,
  type Histogram,
  type Meter,
  metrics,
  type Observable,
} from "@opentelemetry/api";
import {
  type CounterName,
  type GaugeName,
  type HistogramName,
  type MetricLabels,
  METRICS,
  type MetricsCollector,
  optionNames,
  refuseUnknown,
  requireFlag,
  requireMethod,
} from "@millrace/core";
import { BUCKETS } from "./buckets.ts";
import { CONVENTION_COUNTERS, CONVENTION_HISTOGRAMS, conventionAttributes } from "./conventions.ts";
import { Tally } from "./tally.ts";

/** Which meter the metrics go to, and which instruments there are. */
export interface OpenTelemetryMetricsOptions {
  /** Default: one of the provider that the application has registered. */
  readonly meter?: Meter;
  /** The `messaging.…` instruments beside our own. Default true. */
  readonly conventions?: boolean;
}

/** A collector of metrics that hands them to OpenTelemetry. */
export interface OpenTelemetryMetrics extends MetricsCollector {
  onCollect(look: () => void | Promise<void>): () => void;
}

const NAMES = optionNames<OpenTelemetryMetricsOptions>({ meter: true, conventions: true });

/** Two collectors of one meter would each tell the same series, and the later one would win. */
const collectors = new WeakMap<Meter, OpenTelemetryMetrics>();

/**
 * Metrics into an OpenTelemetry meter. Register the application's meter provider before this is
 * called: instruments of an earlier meter stay deaf. Called again for the same meter it returns the
 * same collector, so a client and a node of one process share it.
 *
 * @throws MillraceError `invalid-option`
 * @example
 * const metrics = openTelemetryMetrics();
 * const millrace = await connect({ servers, metrics });
 */
export function openTelemetryMetrics(
  options: OpenTelemetryMetricsOptions = {},
): OpenTelemetryMetrics {
  refuseUnknown(options, NAMES, "openTelemetryMetrics()");
  const { meter = metrics.getMeter("millrace"), conventions = true } = options;
  requireMethod(meter, "meter", "createObservableCounter");
  requireFlag(conventions, "conventions");
  const known = collectors.get(meter);
  if (known !== undefined) return known;
  const collector = collectorOf(meter, conventions);
  collectors.set(meter, collector);
  return collector;
}

/**
 * The collector of the meter provider that is registered in this process; undefined where there is
 * none.
 */
export function registeredMetrics(): OpenTelemetryMetrics | undefined {
  return metrics.getMeter("millrace") === createNoopMeter() ? undefined : openTelemetryMetrics();
}

function collectorOf(meter: Meter, conventions: boolean): OpenTelemetryMetrics {
  const tallies = new Map<CounterName | GaugeName, Tally>();
  const observables: { readonly observable: Observable; readonly read: Reading }[] = [];
  for (const [name, { kind, unit, about: description }] of Object.entries(METRICS)) {
    if (kind === "histogram") continue;
    const tally = new Tally();
    tallies.set(name as CounterName | GaugeName, tally);
    const options = { description, unit };
    const observable =
      kind === "counter"
        ? meter.createObservableCounter(name, options)
        : meter.createObservableGauge(name, options);
    observables.push({ observable, read: () => tally });
  }
  if (conventions)
    for (const convention of CONVENTION_COUNTERS) {
      const { name, unit, description, source } = convention;
      const tally = tallyOf(source);
      observables.push({
        observable: meter.createObservableCounter(name, { unit, description }),
        read: () => retold(tally, (labels) => conventionAttributes(convention, labels)),
      });
    }

  const looks = new Set<Look>();
  const begun = beginOnce();
  meter.addBatchObservableCallback(
    async (result: BatchObservableResult) => {
      await inPatience([...looks].map(begun));
      for (const { observable, read } of observables)
        for (const { labels, value } of read()) result.observe(observable, value, labels);
    },
    observables.map(({ observable }) => observable),
  );

  const histograms = new Map<HistogramName, Recorder>();

  function tallyOf(name: CounterName | GaugeName): Tally {
    const tally = tallies.get(name);
    if (tally === undefined) throw new Error(`${name} is no counter and no gauge of the catalogue`);
    return tally;
  }

  return {
    increment: (name, labels, by = 1) => tallyOf(name).add(labels, by),
    gauge: (name, labels, value) => tallyOf(name).set(labels, value),
    observe: (name, labels, seconds) => {
      let record = histograms.get(name);
      if (record === undefined) histograms.set(name, (record = recorder(meter, name, conventions)));
      record(seconds, labels);
    },
    onCollect: (look) => {
      looks.add(look);
      return () => void looks.delete(look);
    },
  };
}

type Look = () => void | Promise<void>;

/** A look that is under way for so long is taken for lost. */
const LOST_MS = 60_000;

/**
 * One that is still under way is not begun again: each collection would leave one more behind. One
 * that is lost is, or what it tells would be lost for good.
 */
function beginOnce(): (look: Look) => Promise<void> {
  const underWay = new Map<Look, { readonly looking: Promise<void>; readonly sinceMs: number }>();
  return (look) => {
    const now = performance.now();
    const before = underWay.get(look);
    if (before !== undefined && now - before.sinceMs < LOST_MS) return before.looking;
    const looking = (async () => look())().finally(() => {
      if (underWay.get(look)?.looking === looking) underWay.delete(look);
    });
    underWay.set(look, { looking, sinceMs: now });
    return looking;
  };
}

/** What a look may take, and a little: one that fails or never ends is that look's loss alone. */
const PATIENCE_MS = 5_000;

async function inPatience(looking: readonly Promise<void>[]): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS);
  });
  await Promise.race([Promise.allSettled(looking), over]);
  clearTimeout(timer);
}

type Reading = () => Iterable<{ readonly labels: MetricLabels; readonly value: number }>;
type Recorder = (seconds: number, labels: MetricLabels) => void;

function recorder(meter: Meter, name: HistogramName, conventions: boolean): Recorder {
  const { unit, about: description } = METRICS[name];
  const make = (called: string, about: string): Histogram =>
    meter.createHistogram(called, {
      unit,
      description: about,
      advice: { explicitBucketBoundaries: [...BUCKETS[name]] },
    });
  const own = make(name, description);
  const convention = conventions
    ? CONVENTION_HISTOGRAMS.find(({ source }) => source === name)
    : undefined;
  if (convention === undefined) return (seconds, labels) => own.record(seconds, labels);
  const other = make(convention.name, convention.description);
  /** By the labels objects that are given again and again. */
  const attributes = new WeakMap<MetricLabels, Attributes>();
  return (seconds, labels) => {
    own.record(seconds, labels);
    let known = attributes.get(labels);
    if (known === undefined)
      attributes.set(labels, (known = conventionAttributes(convention, labels)));
    other.record(seconds, known);
  };
}

/** Several series become one where the new labels leave out what told them apart. */
function retold(tally: Tally, relabel: (labels: MetricLabels) => MetricLabels): Tally {
  const sums = new Tally();
  for (const { labels, value } of tally) sums.add(relabel(labels), value);
  return sums;
}
