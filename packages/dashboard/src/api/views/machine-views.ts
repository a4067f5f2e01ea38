/** A durable machine in a list, as it stands in JSON. */
export interface MachineRowView {
  readonly machine: string;
  readonly id: string;
  readonly status: "active" | "done" | "error" | "stopped";
  /** In words: `asking.open`; of parallel states each. */
  readonly state: string;
  readonly changedAt: number;
  /** When its next timer comes. */
  readonly nextAt?: number;
  /** Why it could not take its last event that failed. */
  readonly trouble?: string;
}

export interface MachinesPageView {
  readonly rows: readonly MachineRowView[];
  /** Where the next page goes on. Left out at the end. */
  readonly next?: number;
}

/** A state of a chart. */
export interface ChartStateView {
  /** `asking.open` */
  readonly path: string;
  /** Of the state around it. */
  readonly parent?: string;
  readonly kind: "atomic" | "compound" | "parallel" | "final" | "history";
  readonly invokes: readonly string[];
}

/** A way from one state to others; from an empty path: from whatever state. */
export interface ChartWayView {
  readonly from: string;
  readonly to: readonly string[];
  readonly event: string;
  /** The event in words. */
  readonly label: string;
  readonly guard?: string;
}

/** A machine's chart, to be drawn. States come before those that are in them. */
export interface ChartView {
  readonly states: readonly ChartStateView[];
  readonly transitions: readonly ChartWayView[];
  readonly beginnings: readonly { readonly of: string; readonly at: readonly string[] }[];
}

export interface MachineChartView {
  /** Left out where no node has told it yet. */
  readonly chart?: ChartView;
}

/** One of the machines by which the runtime itself works. */
export interface RuntimeMachineView {
  readonly name: string;
  readonly chart: ChartView;
  /** By the path of a state, where it is known. */
  readonly byState: Readonly<Record<string, number>>;
}

export interface RuntimeMachinesView {
  readonly machines: readonly RuntimeMachineView[];
  /** The node that leads the schedules. */
  readonly leader?: string;
  /** Nodes of which nobody knows in which state they are. */
  readonly lost: number;
}

/** How many machines of one name are in each state. */
export interface MachineCountsView {
  /** Machines that have not ended, by the path of the innermost state. */
  readonly byState: Readonly<Record<string, number>>;
}

/** The same alone. What its context, its output, its errors and its events hold is masked. */
export interface MachineView extends MachineRowView {
  readonly version: number;
  readonly startedAt: number;
  readonly context: unknown;
  readonly output?: unknown;
  readonly error?: string;
  readonly failedEvent?: { readonly at: number; readonly event: string };
  /** Jobs whose end it waits for. */
  readonly jobs: readonly { readonly actor: string; readonly id: string; readonly queue: string }[];
  /** Events that come by themselves. */
  readonly timers: readonly { readonly at: number; readonly event: string }[];
  /** Paths of the innermost states that it is in. */
  readonly active: readonly string[];
  /** Its last transitions, the newest first. */
  readonly trail: readonly {
    readonly at: number;
    readonly event: string;
    readonly state: string;
    readonly active: readonly string[];
  }[];
}
