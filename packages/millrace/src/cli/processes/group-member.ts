import type { Serving } from "../serving/serve.ts";

/** What a process of a group tells the one that started it. */
export type MemberMessage =
  /** Its health server answers, also while it waits for NATS. */
  | { readonly kind: "listening"; readonly url: string }
  | { readonly kind: "serving"; readonly about: Serving }
  /** Its node has stopped as it was told to, and is not to be started again. */
  | { readonly kind: "stopped" };

/** Said with each of them: whatever else runs in the process may send on the same channel. */
export const SENDER = "millrace-group";

/** Set for each process of a group: its number, from 1. */
export const MEMBER = "MILLRACE_PROCESS_NUMBER";

/** This process as one of a group. */
export interface GroupMember {
  readonly number: number;
  tell(message: MemberMessage): void;
}

/**
 * @returns undefined where this process was not started by a group. One whose group dies stops as
 *   at a signal
 */
export function groupMember(
  env: Readonly<Record<string, string | undefined>>,
): GroupMember | undefined {
  const number = Number(env[MEMBER]);
  if (!Number.isSafeInteger(number) || number < 1 || process.send === undefined) return undefined;
  process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
  // The wait for that keeps no process alive.
  process.channel?.unref();
  return {
    number,
    tell: (message) => void (process.connected && process.send?.({ from: SENDER, ...message })),
  };
}

const LISTS = ["servers", "queues", "jobs", "schedules", "machines"] as const;

/** @returns undefined where it was not said by `tell` */
export function readMemberMessage(message: unknown): MemberMessage | undefined {
  if (!isObject(message) || message["from"] !== SENDER) return undefined;
  const { kind, url, about } = message;
  switch (kind) {
    case "stopped":
      return { kind };
    case "listening":
      return typeof url === "string" && URL.canParse(url) ? { kind, url } : undefined;
    case "serving":
      return isServing(about) ? { kind, about } : undefined;
    default:
      return undefined;
  }
}

function isServing(about: unknown): about is Serving {
  return (
    isObject(about) &&
    typeof about["node"] === "string" &&
    LISTS.every((name) => {
      const list = about[name];
      return Array.isArray(list) && list.every((item) => typeof item === "string");
    })
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
