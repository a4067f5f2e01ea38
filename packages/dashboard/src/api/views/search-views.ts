/** How far the index of jobs is. */
export interface IndexView {
  readonly state: "catching-up" | "following" | "failing";
  /** Records that are not in it yet. */
  readonly behind: number;
  readonly jobs: number;
  readonly bytes: number;
  readonly oldestAt?: number;
  readonly unheard: number;
  readonly problem?: string;
}

export type CompletionsView = readonly {
  /** The whole filter with it. */
  readonly filter: string;
  readonly about: string;
}[];
