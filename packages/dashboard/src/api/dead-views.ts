/** Where more causes fit, those of which most died. Messages whose words vary make very many. */
export const MOST_CAUSES = 500;

export interface DeadGroupView {
  readonly queue: string;
  readonly name: string | null;
  readonly reason: string;
  readonly error: string | null;
  /** Of the error's type, its pattern and its frame; null where no error was recorded. */
  readonly fingerprint: string | null;
  /** The message with `*` for what varies. */
  readonly pattern?: string;
  /** Where the application's own code failed. */
  readonly frame?: string;
  readonly message?: string;
  readonly count: number;
  readonly firstAt: number;
  readonly lastAt: number;
  /** How many died in each hour in which one did, the oldest first. */
  readonly perHour: readonly { readonly at: number; readonly count: number }[];
  /** Where they died, the most first; of very many nodes, the first ones. */
  readonly nodes: readonly { readonly node: string; readonly count: number }[];
  readonly nodeCount: number;
  readonly lastId: string;
}

export interface DeadRowView {
  readonly id: string;
  readonly queue: string;
  readonly name: string | null;
  readonly attempts: number;
  readonly at: number;
  readonly message: string;
}

/** Which dead letters: all that is given must fit; null fits those that have none. */
export interface DeadFilterView {
  readonly queue?: string;
  readonly id?: string;
  readonly name?: string | null;
  readonly reason?: string;
  readonly error?: string | null;
  readonly fingerprint?: string | null;
  /** In the language of filters. */
  readonly where?: string;
}
