import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { LiveView } from "../../src/api/views/views.ts";
import { liveUrl, read } from "./api.ts";

/**
 * Whether the page hears what happens, and whether the dashboard hears the server. `asking`: it
 * hears nothing and is answered, as behind a proxy that gathers a stream until it ends.
 */
export type LiveState = "connecting" | "live" | "asking" | "no server" | "lost";

export interface Live {
  readonly state: LiveState;
  /** When it ceased to be live; undefined where it is, or never was. */
  readonly since: number | undefined;
}

/** A browser gives up by itself where a proxy answers in the dashboard's place. */
const AGAIN_MS = 3_000;
/** A dashboard says every 15 s that it is there. */
const SILENT_MS = 40_000;
/** It says so at once, too: of a feed that begins with silence it is asked meanwhile. */
const SILENT_AT_FIRST_MS = 10_000;
/** A dashboard that takes longer to answer is none that can be asked. */
const ANSWER_MS = 5_000;

/**
 * Listens while the page is looked at, and asks anew for what is shown where something moved. A
 * page that comes back asks for everything.
 */
export function useLive(): Live {
  const queries = useQueryClient();
  const [live, setLive] = useState<Live>({ state: "connecting", since: undefined });
  useEffect(() => {
    let state: LiveState = "connecting";
    const become = (next: LiveState): void => {
      if (next === state) return;
      // What could not be asked is asked now, however rarely it is asked otherwise.
      if (next === "live") void queries.invalidateQueries();
      const ceased = state === "live" ? Date.now() : undefined;
      state = next;
      setLive(({ since }) => ({
        state: next,
        since: next === "live" ? undefined : (ceased ?? since),
      }));
    };
    return listen((news) => {
      if (news === "open") return void queries.invalidateQueries();
      if (news === "asking" || news === "lost") return become(news);
      become(news.connected ? "live" : "no server");
      refresh(queries, news);
    });
  }, [queries]);
  return live;
}

/** @returns a function that ends it */
function listen(tell: (news: LiveView | "open" | "asking" | "lost") => void): () => void {
  let source: EventSource | undefined;
  /** Of the feed that was heard last. */
  let heard = 0;
  const isUnheard = async (): Promise<void> => {
    const before = heard;
    const answers = await isAnswered();
    // It came back meanwhile, or nobody looks.
    if (heard === before && source !== undefined) tell(answers ? "asking" : "lost");
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  let first: ReturnType<typeof setTimeout> | undefined;
  const close = (): void => {
    source?.close();
    source = undefined;
    clearTimeout(timer);
    clearTimeout(first);
  };
  const openIn = (ms: number): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      close();
      open();
      void isUnheard();
    }, ms);
  };
  const open = (): void => {
    const opened = new EventSource(liveUrl());
    source = opened;
    const hear = (): void => {
      heard += 1;
      clearTimeout(first);
      openIn(SILENT_MS);
    };
    openIn(SILENT_MS);
    first = setTimeout(() => void isUnheard(), SILENT_AT_FIRST_MS);
    opened.addEventListener("open", () => tell("open"));
    opened.addEventListener("alive", hear);
    opened.addEventListener("message", ({ data }: MessageEvent<string>) => {
      hear();
      tell(JSON.parse(data) as LiveView);
    });
    opened.addEventListener("error", () => {
      void isUnheard();
      if (opened.readyState === EventSource.CLOSED) openIn(AGAIN_MS);
    });
  };
  // A browser has few connections for a site, so pages that nobody sees take none.
  const follow = (): void => {
    if (document.hidden) close();
    else if (source === undefined) open();
  };
  follow();
  document.addEventListener("visibilitychange", follow);
  return () => {
    document.removeEventListener("visibilitychange", follow);
    close();
  };
}

async function isAnswered(): Promise<boolean> {
  try {
    // Undefined where the answer is not JSON: something else gave it, such as a login page.
    return (await read("overview", AbortSignal.timeout(ANSWER_MS))) !== undefined;
  } catch {
    return false;
  }
}

function refresh(queries: QueryClient, { queues, jobs }: LiveView): void {
  const ask = (queryKey: readonly unknown[]): void => void queries.invalidateQueries({ queryKey });
  for (const key of ["overview", "jobs", "errors", "dead", "schedules"]) ask([key]);
  for (const queue of queues) ask(["queue", queue]);
  for (const { queue, id } of jobs) ask(["job", queue, id]);
}
