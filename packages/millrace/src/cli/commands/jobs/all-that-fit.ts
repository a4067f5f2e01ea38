import { atMostConfirmed, defined } from "@millrace/core";
import type { Millrace } from "../../../client/millrace.ts";
import type { Operation } from "../../../client/operations/operation.ts";
import type { OperationRequest } from "../../../client/operations/operations.ts";
import { maskOf } from "../../../config/mask-of.ts";
import type { CommandCall, FlagSet, Report } from "../../command.ts";
import { confirmed } from "../../confirm.ts";
import { EXIT } from "../../exit-codes.ts";
import type { CliIo } from "../../io.ts";
import { beginHere, runHere } from "../../run-operation.ts";
import { detachedReport, operationReport, unansweredLine } from "../../show/operations.ts";

interface HowToAsk {
  readonly io: CliIo;
  readonly config: Parameters<typeof maskOf>[0] & { readonly traceUrl?: string };
  readonly yes: boolean | undefined;
  /** Somebody else carries it out. */
  readonly detach: boolean | undefined;
  readonly question: (count: number) => string;
  /** What is said where the answer is no. */
  readonly otherwise: string;
}

/** Counts first and asks, then begins an operation and carries it out. */
export async function changeAll(
  client: Millrace,
  request: OperationRequest,
  { io, config, yes, detach, question, otherwise }: HowToAsk,
): Promise<Report> {
  // Before the question: whoever answers it should know.
  const onUnanswered = (nodes: number): void => io.err(unansweredLine(nodes));
  const count = await client.operations.count({ ...request, onUnanswered });
  if (!(await confirmed(io, yes, question(count))))
    return { json: null, text: () => `${otherwise}\n`, exitCode: EXIT.failed };
  // Who does not ask has confirmed no number.
  const agreed = yes === true ? {} : { atMost: atMostConfirmed(count) };
  const start = (): Promise<Operation> => client.operations.start({ ...request, ...agreed });
  if (detach === true) return detachedReport(await start(), maskOf(config));
  const { id } = await beginHere(io, start);
  return operationReport(await runHere(client, io, id), maskOf(config), config.traceUrl);
}

/** The flags of a command that takes a job's id or `--all`. */
export interface AllFlags {
  readonly queue?: string;
  readonly reason?: string;
  readonly all?: boolean;
  readonly name?: string;
  readonly filter?: string;
  readonly yes?: boolean;
  readonly detach?: boolean;
}

export type AllCall<Flags extends AllFlags> = Pick<
  CommandCall<FlagSet>,
  "args" | "config" | "io"
> & { readonly flags: Flags };

/** `--queue`, `--name` and `--filter`, as an operation takes them. */
export function filterOf({ queue, name, filter: where }: AllFlags): {
  readonly queue?: string;
  readonly name?: string;
  readonly where?: string;
} {
  return defined({ queue, name, where });
}
