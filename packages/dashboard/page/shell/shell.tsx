import { type ReactElement, useLayoutEffect, useRef, useState } from "react";
import { Link, Route, Switch, useLocation } from "wouter";
import { Page } from "../questions/answer.tsx";
import { keepPlace } from "./keep-place.ts";
import { Keyboard } from "./keyboard.tsx";
import { type Live, type LiveState, useLive } from "../questions/live.ts";
import { AuditPage } from "../pages/audit.tsx";
import { CausePage } from "../pages/cause.tsx";
import { ErrorsPage } from "../pages/errors.tsx";
import { JobPage } from "../pages/job.tsx";
import { JobsPage } from "../pages/jobs.tsx";
import { LimitsPage } from "../pages/limits.tsx";
import { MachinePage } from "../pages/machine.tsx";
import { MachinesPage } from "../pages/machines.tsx";
import { NodesPage } from "../pages/nodes.tsx";
import { OldestPage } from "../pages/oldest.tsx";
import { OperationPage } from "../pages/operation.tsx";
import { OperationsPage } from "../pages/operations.tsx";
import { DoctorPage } from "../pages/doctor.tsx";
import { OutboxPage } from "../pages/outbox.tsx";
import { OverviewPage } from "../pages/overview.tsx";
import { QueuePage } from "../pages/queue.tsx";
import { RuntimeMachinesPage } from "../pages/runtime-machines.tsx";
import { SchedulesPage } from "../pages/schedules.tsx";
import { usePlaces, useSession } from "../questions/questions.ts";
import { applyTheme, storedTheme, type Theme } from "./theme.ts";
import { partOf } from "../words/paths.ts";
import { ClockTime } from "../words/time.tsx";

const LIVE_WORDS: Readonly<Record<LiveState, string>> = {
  connecting: "Connecting…",
  live: "Live",
  asking: "Asks every 5 s",
  "no server": "No connection to the server",
  lost: "Connection lost, trying again",
};

const LIVE_COLOURS: Readonly<Record<LiveState, string>> = {
  ...{ connecting: "", live: "good", asking: "warning", "no server": "critical", lost: "critical" },
};
const ASKING =
  "The dashboard answers, but news does not come through by itself: a proxy between here and there may gather it. Figures may be some seconds old.";

/** What is around every page. */
export function Shell(): ReactElement {
  const live = useLive();
  const session = useSession();
  const title = session.data?.title ?? "";
  // What the header shows decides how high it is: a page that came first would jump.
  if (session.data === undefined && session.failureCount === 0) return <main id="main" />;
  return (
    <>
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <header>
        <Link href="/" className="brand">
          Millrace{title === "" ? null : <span> {title}</span>}
        </Link>
        <Navigation />
        <div className="status">
          <span
            className={`live ${LIVE_COLOURS[live.state]}`}
            title={live.state === "asking" ? ASKING : undefined}
          >
            {LIVE_WORDS[live.state]}
          </span>
          <Keyboard />
          <ThemeChoice />
          {session.data === undefined ? null : (
            <span className="user">
              {session.data.user.name} ({session.data.user.role})
            </span>
          )}
        </div>
      </header>
      <Main live={live} />
    </>
  );
}

function Main({ live }: { readonly live: Live }): ReactElement {
  const [location] = useLocation();
  const main = useRef<HTMLElement>(null);
  // On another page there is another thing to point at.
  useLayoutEffect(() => (main.current === null ? undefined : keepPlace(main.current)), [location]);
  return (
    <main id="main" ref={main} data-stale={isOld(live) ? "" : undefined}>
      <Old live={live} />
      <Places />
    </main>
  );
}

function isOld({ state }: Live): boolean {
  return state === "lost" || state === "no server";
}

/** What is below may have changed since: nobody takes old figures for those of now. */
function Old({ live }: { readonly live: Live }): ReactElement | null {
  if (!isOld(live)) return null;
  const { state, since } = live;
  return (
    <p className="notice critical stale" role="alert">
      {state === "lost" ? "The dashboard can’t be reached" : "The dashboard can’t reach the server"}
      {since === undefined ? (
        ". "
      ) : (
        <>
          {" since "}
          <ClockTime at={since} />. What is shown is from before that.{" "}
        </>
      )}
      The page goes on by itself when it is back.
    </p>
  );
}

function Navigation(): ReactElement {
  const [location] = useLocation();
  const places = usePlaces();
  return (
    <nav aria-label="Pages">
      {places.map(([path, name]) => {
        const isHere = path === "/" ? location === "/" : location.startsWith(path);
        return (
          <Link key={path} href={path} aria-current={isHere ? "page" : undefined}>
            {name}
          </Link>
        );
      })}
    </nav>
  );
}

function Places(): ReactElement {
  return (
    <Switch>
      <Route path="/" component={OverviewPage} />
      <Route path="/queues/:queue/oldest">
        {({ queue }) => <OldestPage queue={partOf(queue)} />}
      </Route>
      <Route path="/queues/:queue">{({ queue }) => <QueuePage queue={partOf(queue)} />}</Route>
      <Route path="/jobs" component={JobsPage} />
      <Route path="/jobs/:queue/:id">
        {({ queue, id }) => (
          <JobPage key={`${queue}/${id}`} queue={partOf(queue)} id={partOf(id)} />
        )}
      </Route>
      <Route path="/errors" component={ErrorsPage} />
      <Route path="/errors/cause" component={CausePage} />
      <Route path="/schedules" component={SchedulesPage} />
      <Route path="/machines" component={MachinesPage} />
      <Route path="/machines/runtime" component={RuntimeMachinesPage} />
      <Route path="/machines/:machine/:id">
        {({ machine, id }) => (
          <MachinePage key={`${machine}/${id}`} machine={partOf(machine)} id={partOf(id)} />
        )}
      </Route>
      <Route path="/nodes" component={NodesPage} />
      <Route path="/limits" component={LimitsPage} />
      <Route path="/operations" component={OperationsPage} />
      <Route path="/operations/:id">{({ id }) => <OperationPage id={partOf(id)} />}</Route>
      <Route path="/audit" component={AuditPage} />
      <Route path="/outbox" component={OutboxPage} />
      <Route path="/doctor" component={DoctorPage} />
      <Route>
        <Page title="Nothing here">
          <p>
            This address leads nowhere. Go to the <Link href="/">overview</Link>.
          </p>
        </Page>
      </Route>
    </Switch>
  );
}

function ThemeChoice(): ReactElement {
  const [theme, setTheme] = useState(storedTheme);
  return (
    <select
      aria-label="Colours"
      value={theme}
      onChange={(event) => {
        const chosen = event.target.value as Theme;
        applyTheme(chosen);
        setTheme(chosen);
      }}
    >
      <option value="system">System</option>
      <option value="light">Light</option>
      <option value="dark">Dark</option>
    </select>
  );
}
