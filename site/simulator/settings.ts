/** What the page's controls say. Whoever reads 0 as a cap or a rate reads "none". */
export interface StreamSettings {
  /** Jobs that are enqueued each second. */
  readonly perSecond: number;
  /** How long each attempt runs, tenths of a second. */
  readonly tenths: number;
  /** Jobs that the node runs at once. */
  readonly slots: number;
  /** The most jobs of one customer that run at once. */
  readonly cap: number;
  /** The most starts of one customer in ten seconds. */
  readonly rate: number;
  /** Of a hundred jobs, how many are enqueued into the high lane. */
  readonly high: number;
  /** Of a hundred attempts, how many fail. */
  readonly failing: number;
  /** Attempts that a job has in all. */
  readonly attempts: number;
}

/** A control of the page. */
export interface Control {
  readonly name: keyof StreamSettings;
  readonly label: string;
  readonly least: number;
  readonly most: number;
  readonly step: number;
  readonly show: (value: number) => string;
}

const limit = (unit: string) => (value: number) => (value === 0 ? "none" : `${value} ${unit}`);

export const CONTROLS: readonly Control[] = [
  control("perSecond", "Jobs enqueued each second", [1, 10, 1], String),
  control("tenths", "An attempt takes", [2, 40, 2], (value) => `${(value / 10).toFixed(1)} s`),
  control("slots", "Slots of the node", [1, 16, 1], String),
  control("cap", "Cap for each customer", [0, 8, 1], limit("at once")),
  control("rate", "Rate for each customer", [0, 20, 1], limit("starts in 10 s")),
  control("high", "Jobs in the high lane", [0, 100, 10], (value) => `${value} %`),
  control("failing", "Attempts that fail", [0, 100, 10], (value) => `${value} %`),
  control("attempts", "Attempts of a job", [1, 5, 1], String),
];

/** What the page shows first. */
export const FIRST: StreamSettings = {
  ...{ perSecond: 4, tenths: 10, slots: 4, cap: 2, rate: 0 },
  ...{ high: 20, failing: 30, attempts: 2 },
};

function control(
  name: keyof StreamSettings,
  label: string,
  [least, most, step]: readonly [number, number, number],
  show: (value: number) => string,
): Control {
  return { name, label, least, most, step, show };
}
