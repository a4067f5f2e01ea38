import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { LiveView } from "../src/api/views.ts";
import { liveUrl } from "./api.ts";

/** Whether the page hears what happens, and whether the dashboard hears the server. */
export type LiveState = "connecting" | "live" | "no server" | "lost";

/**
 * Listens while the page is looked at, and asks anew for what is shown where something moved. A
 * page that comes back asks for everything.
 */
export function useLive(): LiveState {
  const queries = useQueryClient();
  const [state, setState] = useState<LiveState>("connecting");
  useEffect(() => {
    let source: EventSource | undefined;
    const close = (): void => {
      source?.close();
      source = undefined;
    };
    const open = (): void => {
      source = new EventSource(liveUrl());
      source.addEventListener("open", () => {
        setState("live");
        void queries.invalidateQueries();
      });
      source.addEventListener("error", () => setState("lost"));
      source.addEventListener("message", ({ data }: MessageEvent<string>) => {
        const news = JSON.parse(data) as LiveView;
        setState(news.connected ? "live" : "no server");
        refresh(queries, news);
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
  }, [queries]);
  return state;
}

function refresh(queries: QueryClient, { queues, jobs }: LiveView): void {
  const ask = (queryKey: readonly unknown[]): void => void queries.invalidateQueries({ queryKey });
  for (const key of ["overview", "jobs", "dead", "schedules"]) ask([key]);
  for (const queue of queues) ask(["queue", queue]);
  for (const { queue, id } of jobs) ask(["job", queue, id]);
}
