/** Where more causes fit, those of which most failed. Messages whose words vary make very many. */
export const MOST_CAUSES = 500;

export interface CausesView {
  readonly causes: readonly CauseView[];
  /** Whether more fit than are here. */
  readonly more: boolean;
  /** Whether only those are here of which there is a letter. */
  readonly lettersOnly: boolean;
}

export interface CauseView {
  readonly queue: string;
  readonly name: string | null;
  readonly error: string | null;
  /** Of the error's type, its pattern and its frame; null where no error was recorded. */
  readonly fingerprint: string | null;
  /** The message with `*` for what varies. */
  readonly pattern?: string;
  /** Where the application's own code failed. */
  readonly frame?: string;
  readonly message?: string;
  /** Why the letters are dead. */
  readonly reasons: readonly string[];
  /** Dead letters that are there now. */
  readonly letters: number;
  /** Attempts, where they are counted. */
  readonly failed?: FailedView;
  readonly firstAt: number;
  readonly lastAt: number;
  /** How many letters died in each hour in which one did, the oldest first. */
  readonly perHour: readonly { readonly at: number; readonly count: number }[];
  /** Where they failed, the most first; of very many nodes, the first ones. */
  readonly nodes: readonly { readonly node: string; readonly count: number }[];
  readonly nodeCount: number;
  readonly lastId: string;
}

export interface FailedView {
  readonly failures: number;
  readonly died: number;
  readonly jobs: number;
  readonly perHour: readonly {
    readonly at: number;
    readonly failures: number;
    readonly died: number;
  }[];
}
