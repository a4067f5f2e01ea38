import "uplot/dist/uPlot.min.css";
import "./page.css";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Router } from "wouter";
import { ApiFailure } from "./questions/api.ts";
import { applyStoredTimes } from "./words/exact-times.ts";
import { Shell } from "./shell/shell.tsx";
import { applyTheme, storedTheme } from "./shell/theme.ts";
import { Teller } from "./actions/told.tsx";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // The dashboard may be on this machine, whether or not that has a network.
      networkMode: "always",
      // What the server refused it would refuse again.
      retry: (failures, error) => !(error instanceof ApiFailure) && failures < 2,
      refetchOnWindowFocus: false,
    },
    mutations: { networkMode: "always" },
  },
});
const base = new URL(document.baseURI).pathname.replace(/\/$/, "");
const root = document.getElementById("root");
if (root === null) throw new Error("The page has no place for the dashboard.");
applyTheme(storedTheme());
applyStoredTimes();
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <Router base={base}>
        <Teller>
          <Shell />
        </Teller>
      </Router>
    </QueryClientProvider>
  </StrictMode>,
);
