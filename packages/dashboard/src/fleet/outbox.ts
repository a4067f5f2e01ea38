/** An outbox as the page shows it. A store of `millrace/outbox` is one. */
export interface DashboardOutbox {
  status(): Promise<
    readonly {
      readonly queue: string;
      readonly waiting: number;
      readonly oldestAgeMs: number;
      readonly setAside: number;
      readonly trouble?: { readonly message: string; readonly forMs: number };
    }[]
  >;
  listSetAside(limit: number): Promise<
    readonly {
      readonly seq: number;
      readonly id: string;
      readonly queue: string;
      readonly reason: string;
      readonly detail: string;
      readonly ageMs: number;
    }[]
  >;
  /** @returns how many rows may be published again */
  retry(queue?: string): Promise<number>;
}
