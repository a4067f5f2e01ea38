/** In what two servers differ, as far as anybody here can see it. */
export interface Flavour {
  readonly version: string;
  /** `{"stream":"S", "seq":1}` */
  readonly spacedAck: boolean;
  /** An expected sequence is looked at before a message id is. */
  readonly expectsFirst: boolean;
  readonly schedules: boolean;
  readonly batchedGets: boolean;
  /** Several messages are stored as one. */
  readonly atomicBatches: boolean;
  /** Messages are stored each for itself and acknowledged together. */
  readonly fastBatches: boolean;
  /** What a pull that doesn't wait hears once it has taken all there was. */
  readonly servedNoWait: "404" | "408";
  /** Says in a 503 which subject nobody answers for. */
  readonly namesUnheard: boolean;
  /** Fields that newer servers always show. */
  readonly showsLevels: boolean;
}

export const FLAVOURS = {
  "2.15": {
    version: "2.15.2",
    spacedAck: false,
    expectsFirst: true,
    schedules: true,
    batchedGets: true,
    atomicBatches: true,
    fastBatches: true,
    servedNoWait: "404",
    namesUnheard: true,
    showsLevels: true,
  },
  "2.10": {
    version: "2.10.29",
    spacedAck: true,
    expectsFirst: false,
    schedules: false,
    batchedGets: false,
    atomicBatches: false,
    fastBatches: false,
    servedNoWait: "408",
    namesUnheard: false,
    showsLevels: false,
  },
} as const satisfies Readonly<Record<string, Flavour>>;
