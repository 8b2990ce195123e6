import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { RunLine } from "./api";
import { ComparePage } from "./compare";
import { LanesPage } from "./lanes";
import { useLive, useSamples, type Live } from "./live";
import { MatrixPage } from "./matrix";
import { OverviewPage } from "./overview";
import { Dialog, useAsked, Waiting } from "./parts";
import { address, followLinks, go, usePlace, type Place } from "./route";
import { ReportPage } from "./report";
import { RunsPage } from "./runs";
import { keysOn, language, set, t, theme, useSettings, type Key, type Theme } from "./settings";
import { TranscriptPage } from "./transcript";
import { TrialsPage } from "./trials";

const kPages: { page: string; key: Key }[] = [
  { page: "overview", key: "page.overview" },
  { page: "lanes", key: "page.lanes" },
  { page: "matrix", key: "page.matrix" },
  { page: "trials", key: "page.trials" },
  { page: "compare", key: "page.compare" },
  { page: "report", key: "page.report" },
];

function typing(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement;
  return ["INPUT", "SELECT", "TEXTAREA"].includes(target.tagName) || event.ctrlKey || event.metaKey || event.altKey;
}

/** 1 to 6 choose a page, j and k a row, / the first filter, ? tells of all this. */
function useKeys(place: Place, showHelp: () => void): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (typing(event) || !keysOn() || document.querySelector("dialog[open]")) return;
      const page = kPages[Number(event.key) - 1];
      if (page && place.run) go(address(place.run, page.page));
      else if (event.key === "?") showHelp();
      else if (event.key === "/") document.querySelector<HTMLElement>(".filters select, .filters input")?.focus();
      else if (event.key === "j" || event.key === "k") moveRow(event.key === "j" ? 1 : -1);
      else return;
      event.preventDefault();
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, [place.run, showHelp]);
}

function moveRow(by: number): void {
  const rows = [...document.querySelectorAll<HTMLElement>("a.row-link")];
  const at = rows.indexOf(document.activeElement as HTMLElement);
  rows[at < 0 ? 0 : Math.min(Math.max(at + by, 0), rows.length - 1)]?.focus();
}

function Help({ close }: { close: () => void }) {
  const keys: [string, Key][] = [
    ["1 – 6", "help.pages"],
    ["j k", "help.rows"],
    ["/", "help.filter"],
    ["?", "help.help"],
  ];
  return (
    <Dialog title={t("help.title")} close={close}>
      <dl class="keys">
        {keys.map(([key, text]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{t(text)}</dd>
          </div>
        ))}
      </dl>
      <label class="check">
        <input
          type="checkbox"
          checked={keysOn()}
          onChange={(event) => set("keys", event.currentTarget.checked ? "on" : "off")}
        />
        {t("help.on")}
      </label>
    </Dialog>
  );
}

function Header(props: { place: Place; connection: ComponentChildren; help: () => void }) {
  const { run, page } = props.place;
  return (
    <header class="top">
      <a class="brand" href="/">
        Sortie
      </a>
      {run && (
        <>
          <span class="run-name">{run}</span>
          {props.connection}
          <nav aria-label={t("nav")}>
            {kPages.map((one) => (
              <a key={one.page} href={address(run, one.page)} aria-current={one.page === page ? "page" : undefined}>
                {t(one.key)}
              </a>
            ))}
          </nav>
        </>
      )}
      <div class="settings">
        <label>
          <span class="hidden">{t("theme")}</span>
          <select value={theme()} onChange={(event) => set("theme", event.currentTarget.value as Theme)}>
            <option value="auto">{t("theme.auto")}</option>
            <option value="light">{t("theme.light")}</option>
            <option value="dark">{t("theme.dark")}</option>
          </select>
        </label>
        <label>
          <span class="hidden">{t("language")}</span>
          <select value={language()} onChange={(event) => set("language", event.currentTarget.value)}>
            <option value="en">English</option>
            <option value="zh">中文</option>
          </select>
        </label>
        <button type="button" class="quiet" onClick={props.help} aria-label={t("help.title")}>
          ?
        </button>
      </div>
    </header>
  );
}

function Connection({ live }: { live: Live }) {
  const state =
    live.connection === "live" ? (live.status?.paused ? "paused" : (live.status?.phase ?? "running")) : live.connection;
  if (state === "asking" || (state === "none" && !live.status))
    return <span class="connection idle">{t("state.not_running")}</span>;
  const texts: Record<string, Key> = {
    running: "state.running",
    stopping: "state.stopping",
    finished: "state.finished",
    paused: "state.paused",
    lost: "state.lost",
    none: "state.ended",
  };
  return (
    <span class={`connection ${state}`} role="status">
      {t(texts[state] ?? "state.running")}
    </span>
  );
}

function RunPage({ place, help }: { place: Place & { run: string }; help: () => void }) {
  const live = useLive(place.run);
  const samples = useSamples(live.status);
  const going = live.connection === "live";
  return (
    <>
      <Header place={place} connection={<Connection live={live} />} help={help} />
      <main id="main" tabIndex={-1}>
        {place.page === "overview" && <OverviewPage run={place.run} live={live} samples={samples} />}
        {place.page === "lanes" && <LanesPage run={place.run} live={live} samples={samples} />}
        {place.page === "matrix" && <MatrixPage run={place.run} query={place.query} live={going} />}
        {place.page === "trials" && place.trial === null && (
          <TrialsPage run={place.run} query={place.query} live={going} />
        )}
        {place.page === "trials" && place.trial !== null && <TranscriptPage run={place.run} trial={place.trial} />}
        {place.page === "compare" && <ComparePage run={place.run} query={place.query} />}
        {place.page === "report" && <ReportPage run={place.run} live={going} />}
        {!kPages.some((one) => one.page === place.page) && <p class="notice">{t("no_page")}</p>}
      </main>
    </>
  );
}

/** Without a run in the address: the list, or the only run there is. */
function StartPage({ place, help }: { place: Place; help: () => void }) {
  const runs = useAsked<{ runs: RunLine[] }>("/v1/runs", 10);
  const only = runs.data?.runs.length === 1 ? runs.data.runs[0] : undefined;
  useEffect(() => {
    if (only) go(address(only.run), { replace: true });
  }, [only?.run]);
  return (
    <>
      <Header place={place} connection={null} help={help} />
      <main id="main" tabIndex={-1}>
        <h1>{t("runs.title")}</h1>
        <Waiting asked={runs}>{(data) => <RunsPage runs={data.runs} />}</Waiting>
      </main>
    </>
  );
}

export function App() {
  useSettings();
  const place = usePlace();
  const [help, setHelp] = useState(false);
  const showHelp = () => setHelp(true);
  useKeys(place, showHelp);
  useEffect(() => {
    const page = place.run
      ? `${place.run} · ${place.trial !== null ? `#${place.trial}` : t((kPages.find((one) => one.page === place.page) ?? kPages[0]!).key)} · `
      : "";
    document.title = `${page}Sortie`;
  });
  return (
    <div onClick={followLinks}>
      <a class="skip" href="#main">
        {t("skip")}
      </a>
      {place.run ? (
        <RunPage key={place.run} place={{ ...place, run: place.run }} help={showHelp} />
      ) : (
        <StartPage place={place} help={showHelp} />
      )}
      {help && <Help close={() => setHelp(false)} />}
    </div>
  );
}
