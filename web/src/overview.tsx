import { useMemo, useState } from "preact/hooks";
import { post, runPath, type ModelLine, type Overview, type Status, type Timeline } from "./api";
import { Chart } from "./chart";
import { clock, dollars, duration, percent, share, short, time, whole } from "./format";
import type { Live, Sample } from "./live";
import { Badge, Bar, Foreign, Panel, Simulated, Success, Tile, useAsked, Waiting } from "./parts";
import { address } from "./route";
import { fromSamples, fromTimeline, joined, type Series } from "./series";
import { t, word } from "./settings";

/** The newest of what the ledger and the run itself say of a model. */
function modelLines(overview: Overview, status: Status | null): (ModelLine & { paused: boolean; running: number })[] {
  return overview.models.map((model) => {
    const live = status?.models.find((one) => one.model === model.model);
    if (!live) return { ...model, paused: false, running: 0 };
    const { planned, scored, succeeded, lost, running, paused } = live;
    return { ...model, planned, scored, succeeded, lost, open: Math.max(planned - scored - lost, 0), running, paused };
  });
}

function Controls({ run, status }: { run: string; status: Status }) {
  const [said, setSaid] = useState<string | null>(null);
  const [failed, setFailed] = useState(false);
  const change = async (action: string) => {
    try {
      const done = await post<{ changes: string[] }>(`${runPath(run)}/control`, { action });
      setFailed(false);
      setSaid(done.changes.length > 0 ? done.changes.join("; ") : t("control.nothing"));
    } catch (error) {
      setFailed(true);
      setSaid((error as Error).message);
    }
  };
  return (
    <div class="controls">
      {said !== null && (
        <span class={failed ? "bad-text" : "muted"} role="status">
          {said}
        </span>
      )}
      <button type="button" onClick={() => change(status.paused ? "resume" : "pause")}>
        {status.paused ? t("control.resume") : t("control.pause")}
      </button>
      <button type="button" disabled={status.draining} title={t("control.drain.title")} onClick={() => change("drain")}>
        {status.draining ? t("control.draining") : t("control.drain")}
      </button>
    </div>
  );
}

function Tiles({ overview, status }: { overview: Overview; status: Status | null }) {
  const planned = status?.planned ?? overview.planned;
  const scored = status?.scored ?? overview.scored;
  const lost = status?.lost ?? overview.lost;
  const speed = overview.speeds[overview.speeds.length - 1]?.speed;
  const budget = status?.budget;
  return (
    <div class="tiles">
      <Tile
        label={t("progress")}
        value={percent(scored + lost, planned)}
        note={
          <>
            <Bar
              label={t("progress")}
              total={planned}
              parts={[
                { value: scored, tone: "done" },
                { value: lost, tone: "lost" },
              ]}
            />
            {t("progress.note", { scored: whole(scored), planned: whole(planned) })}
            {lost > 0 && <span class="bad-text"> · {t("progress.lost", { lost: whole(lost) })}</span>}
          </>
        }
      />
      {status ? (
        <>
          <Tile
            label={t("eta")}
            value={status.time_left === null ? t("eta.unknown") : duration(status.time_left.likely_seconds)}
            note={
              status.time_left === null ? (
                t("eta.note", { elapsed: duration(status.elapsed_seconds) })
              ) : (
                <>
                  {t("eta.range", {
                    elapsed: duration(status.elapsed_seconds),
                    earliest: duration(status.time_left.earliest_seconds),
                    latest: duration(status.time_left.latest_seconds),
                  })}
                  {/* A run of an older version does not tell it. */}
                  {typeof status.bound_left_seconds === "number" && (
                    <> · {t("eta.bound", { bound: duration(status.bound_left_seconds) })}</>
                  )}
                </>
              )
            }
          />
          <Tile
            label={t("throughput")}
            value={`${short(status.rates.turns_per_second)} ${t("turns_per_second")}`}
            note={`${short(status.rates.tokens_per_second)} ${t("tokens_per_second")}`}
          />
          <Tile
            label={t("in_flight")}
            value={whole(status.in_flight)}
            note={
              t("in_flight.note", { waiting: whole(status.waiting) }) +
              (status.unfunded > 0 ? ` · ${t("unfunded", { count: status.unfunded })}` : "")
            }
          />
        </>
      ) : (
        <>
          <Tile
            label={t("success")}
            value={percent(overview.succeeded, scored)}
            note={t("success.note", { succeeded: whole(overview.succeeded), scored: whole(scored) })}
          />
          {speed?.seconds !== undefined && (
            <Tile
              label={t("speed")}
              value={speed.fraction ? share(speed.fraction) : duration(speed.seconds)}
              note={
                speed.bound_seconds
                  ? t("speed.note", { seconds: duration(speed.seconds), bound: duration(speed.bound_seconds) })
                  : t("speed.no_bound")
              }
            />
          )}
          <Tile label={t("tokens")} value={short(overview.tokens)} note={t("tokens.note")} />
        </>
      )}
      <Tile
        label={t("cost")}
        value={dollars(budget ? budget.spent_micro_usd : overview.cost_micro_usd)}
        note={
          budget?.max_cost_micro_usd
            ? t("cost.budget", {
                max: dollars(budget.max_cost_micro_usd),
                reserved: dollars(budget.reserved_micro_usd),
              })
            : t("cost.note")
        }
      />
    </div>
  );
}

function Models({ run, overview, status }: { run: string; overview: Overview; status: Status | null }) {
  return (
    <Panel title={t("models")}>
      <div class="scroll" tabIndex={0} role="region" aria-label={t("models")}>
        <table class="wide">
          <thead>
            <tr>
              <th scope="col">{t("model")}</th>
              <th scope="col">{t("progress")}</th>
              <th scope="col" class="number">
                {t("planned")}
              </th>
              <th scope="col" class="number">
                {t("scored")}
              </th>
              <th scope="col" class="number">
                {t("lost")}
              </th>
              <th scope="col" class="number">
                {t("open")}
              </th>
              <th scope="col" class="number">
                {t("success")}
              </th>
              <th scope="col" class="number">
                {t("repaired")}
              </th>
              <th scope="col" class="number">
                {t("cost")}
              </th>
            </tr>
          </thead>
          <tbody>
            {modelLines(overview, status).map((model) => (
              <tr key={model.model}>
                <th scope="row">
                  <a class="row-link" href={address(run, "trials", { model: model.model })}>
                    {model.model}
                  </a>{" "}
                  {model.simulated && <Simulated />} {model.paused && <Badge tone="warn">{t("state.paused")}</Badge>}
                </th>
                <td class="bar-cell">
                  <Bar
                    label={percent(model.scored, model.planned)}
                    total={model.planned}
                    parts={[
                      { value: model.scored, tone: "done" },
                      { value: model.lost, tone: "lost" },
                      { value: model.running, tone: "running" },
                    ]}
                  />
                </td>
                <td class="number">{whole(model.planned)}</td>
                <td class="number">{whole(model.scored)}</td>
                <td class={`number ${model.lost > 0 ? "bad-text" : ""}`}>{whole(model.lost)}</td>
                <td class="number">{whole(model.open)}</td>
                <td class="number">
                  <Success succeeded={model.succeeded} scored={model.scored} />
                </td>
                <td class="number">{percent(model.repaired, model.scored)}</td>
                <td class="number">{dollars(model.cost_micro_usd)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

export function RequestChart({ series, height = 150 }: { series: Series; height?: number }) {
  const lines = useMemo(
    () => [
      { label: t("answered"), colour: "good" as const, values: series.answered, fill: true },
      { label: t("throttled"), colour: "warn" as const, values: series.throttled },
      { label: t("failed"), colour: "bad" as const, values: series.failed },
    ],
    [series],
  );
  const most = Math.max(0, ...series.answered);
  return (
    <Chart
      at={series.at}
      lines={lines}
      height={height}
      unit="/s"
      summary={t("chart.requests", { most: most.toFixed(1) })}
    />
  );
}

function Labels({ run, overview }: { run: string; overview: Overview }) {
  const labels = Object.entries(overview.labels).sort((a, b) => b[1] - a[1]);
  const most = labels[0]?.[1] ?? 1;
  const outcomes = Object.entries(overview.outcomes).filter(([name]) => name !== "scored");
  return (
    <Panel title={t("failures")}>
      {labels.length === 0 && outcomes.length === 0 && <p class="muted pad">{t("failures.none")}</p>}
      <ul class="counts">
        {labels.map(([label, count]) => (
          <li key={label}>
            <a href={address(run, "trials", { label, success: 0 })}>{word(label)}</a>
            <Bar label={String(count)} total={most} parts={[{ value: count, tone: "done" }]} />
            <span class="number">{whole(count)}</span>
          </li>
        ))}
        {outcomes.map(([outcome, count]) => (
          <li key={outcome}>
            <a class="bad-text" href={address(run, "trials", { outcome })}>
              {t("failures.lost", { outcome: word(outcome) })}
            </a>
            <Bar label={String(count)} total={Math.max(most, count)} parts={[{ value: count, tone: "lost" }]} />
            <span class="number">{whole(count)}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function LostTime({ overview }: { overview: Overview }) {
  const speed = overview.speeds[overview.speeds.length - 1]?.speed;
  const lost = Object.entries(speed?.lost_seconds ?? {}).filter(([, seconds]) => seconds > 0);
  if (!speed?.bound_seconds || lost.length === 0) return null;
  const most = Math.max(...lost.map(([, seconds]) => seconds));
  return (
    <Panel title={t("speed.title")}>
      <p class="pad muted">{t("speed.limit", { limit: `${speed.limit ?? ""} · ${speed.domain ?? ""}` })}</p>
      <ul class="counts">
        {lost.map(([reason, seconds]) => (
          <li key={reason}>
            <span>{word(reason)}</span>
            <Bar label={duration(seconds)} total={most} parts={[{ value: seconds, tone: "running" }]} />
            <span class="number">{duration(seconds)}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

/** What happened, in words: the run's own problems and changes, or the ledger's events. */
function Happened({ overview, status }: { overview: Overview; status: Status | null }) {
  const lines = status
    ? [
        ...status.problems.map((one) => ({ at: one.at, tone: "warn", text: one.text })),
        ...status.changes.map((one) => ({
          at: one.at,
          tone: "info",
          text: `${one.change} (${one.author}${one.reason ? `: ${one.reason}` : ""})`,
        })),
      ].sort((a, b) => b.at.localeCompare(a.at))
    : overview.events.map((one) => ({
        at: one.at ?? "",
        tone: one.kind === "route_disabled" ? "warn" : "info",
        text: [word(one.kind), one.subject, one.detail?.["reason"], one.detail?.["changes"]]
          .filter(Boolean)
          .join(" · "),
      }));
  return (
    <Panel title={t("happened")}>
      {lines.length === 0 && <p class="muted pad">{t("happened.none")}</p>}
      <ol class="log">
        {lines.slice(0, 40).map((line, i) => (
          <li key={i} class={line.tone}>
            <time dateTime={line.at}>{line.at && (status ? clock(line.at) : time(line.at))}</time>
            <Foreign text={line.text} />
          </li>
        ))}
      </ol>
    </Panel>
  );
}

/** Trials that other runs paid for (`run --reuse`). */
function Reused({ overview }: { overview: Overview }) {
  const lines = overview.reused;
  if (lines.length === 0) return null;
  const sum = (name: "trials" | "cost_micro_usd") => lines.reduce((all, line) => all + line[name], 0);
  return (
    <Panel title={t("reused")}>
      <p class="pad muted">
        {t("reused.note", { trials: whole(sum("trials")), cost: dollars(sum("cost_micro_usd")) })}
      </p>
      <ul class="counts">
        {lines.map((line) => (
          <li key={line.run + line.directory}>
            <span title={line.run}>
              <Foreign text={t("reused.from", { run: line.directory })} />
            </span>
            <Bar
              label={whole(line.trials)}
              total={Math.max(overview.planned, 1)}
              parts={[{ value: line.trials, tone: "done" }]}
            />
            <span class="number">{whole(line.trials)}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Provenance({ overview }: { overview: Overview }) {
  return (
    <Panel title={t("provenance")}>
      <dl class="facts">
        <div>
          <dt>{t("first_attempt")}</dt>
          <dd>{time(overview.first_attempt)}</dd>
        </div>
        <div>
          <dt>{t("last_end")}</dt>
          <dd>{time(overview.last_end)}</dd>
        </div>
        {Object.entries(overview.manifest).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd class="mono">{value}</dd>
          </div>
        ))}
      </dl>
    </Panel>
  );
}

const every = () => true;

export function OverviewPage({ run, live, samples }: { run: string; live: Live; samples: Sample[] }) {
  const going = live.connection === "live";
  const overview = useAsked<Overview>(runPath(run), going ? 10 : 0);
  const timeline = useAsked<Timeline>(`${runPath(run)}/timeline`, going ? 60 : 0);
  const status = going ? live.status : null;
  const series = useMemo(
    () => joined(timeline.data && fromTimeline(timeline.data, every), fromSamples(samples, every)),
    [timeline.data, samples],
  );
  return (
    <>
      <div class="page-head">
        <h1>{t("page.overview")}</h1>
        {status && <Controls run={run} status={status} />}
      </div>
      {live.connection === "lost" && <p class="notice warn">{t("state.lost.note")}</p>}
      <Waiting asked={overview}>
        {(data) => (
          <>
            <Tiles overview={data} status={status} />
            <Models run={run} overview={data} status={status} />
            <Panel title={t("requests")}>
              <RequestChart series={series} />
            </Panel>
            <div class="columns">
              <Labels run={run} overview={data} />
              <div>
                <Happened overview={data} status={status} />
                <LostTime overview={data} />
                <Reused overview={data} />
              </div>
              <Provenance overview={data} />
            </div>
          </>
        )}
      </Waiting>
    </>
  );
}
