/** How far the index of jobs is. */
export interface IndexView {
  readonly state: "catching-up" | "following" | "failing";
  /** Up to where the history is in it. */
  readonly position: number;
  /** Records that were not in it yet when it last looked. */
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
