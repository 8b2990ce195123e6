import { useMemo } from "preact/hooks";
import { runPath, type Overview, type RouteLine, type Status, type Timeline } from "./api";
import { duration, percent, short, whole, per } from "./format";
import type { Live, Sample } from "./live";
import { RequestChart } from "./overview";
import { Badge, Foreign, Panel, useAsked, Waiting } from "./parts";
import { fromSamples, fromTimeline, joined } from "./series";
import { t, word } from "./settings";

type Limit = Status["limits"][number];
type Route = Status["routes"][number];

/** Routes and domains are named "provider/…". */
function providerOf(name: string): string {
  return name.split("/")[0] ?? name;
}

function Lane({ limit }: { limit: Limit }) {
  const whole_ = Math.max(limit.quota, limit.used, 1e-9);
  const at = (value: number) => Math.min(100, (100 * value) / whole_);
  const full = limit.used >= limit.allowed * 0.98 && limit.allowed > 0;
  const closed = limit.closed_for_seconds !== null;
  const text = t("lane.text", {
    used: short(limit.used),
    allowed: short(limit.allowed),
    quota: short(limit.quota),
    kind: word(limit.kind),
  });
  return (
    <div class={`lane ${closed ? "closed" : full ? "full" : ""}`}>
      <div class="lane-name">
        <span class="mono">{limit.domain}</span> <span class="muted">{word(limit.kind)}</span>
      </div>
      <svg
        class="lane-track"
        viewBox="0 0 100 10"
        preserveAspectRatio="none"
        role="img"
        aria-label={`${limit.domain}: ${text}`}
      >
        <rect class="lane-rest" x="0" y="0" width="100" height="10" />
        <rect class="lane-used" x="0" y="0" width={at(limit.used)} height="10" />
        <line class="lane-allowed" x1={at(limit.allowed)} x2={at(limit.allowed)} y1="0" y2="10" />
      </svg>
      <div class="lane-numbers">
        <strong>{short(limit.used)}</strong>
        <span class="muted">
          {" "}
          {t("lane.of", { allowed: short(limit.allowed), quota: short(limit.quota) })} {per(limit.window_seconds)}
        </span>
      </div>
      <div class="lane-state">
        {closed && <Badge tone="bad">{t("lane.closed", { time: duration(limit.closed_for_seconds ?? 0) })}</Badge>}
        {limit.learned && (
          <Badge tone="info" title={t("lane.learned.title", { confidence: percent(limit.confidence, 1) })}>
            {t("lane.learned")}
          </Badge>
        )}
      </div>
    </div>
  );
}

interface RouteRow {
  route: string;
  model: string;
  answered: number;
  throttled: number;
  failed: number;
  empty: number | null; // answers without a token, of a route that is suspect for them
  live: Route | null;
  p50: number | null;
  p95: number | null;
}

function rowsOf(overview: Overview, status: Status | null): RouteRow[] {
  const rows = new Map<string, RouteRow>();
  const add = (
    line: Pick<RouteLine, "route" | "model" | "answered" | "throttled" | "failed">,
    live: Route | null,
    latency: Pick<RouteLine, "latency_p50_seconds" | "latency_p95_seconds">,
    recorded: RouteLine | undefined,
  ) =>
    rows.set(line.route, {
      route: line.route,
      model: line.model,
      answered: line.answered,
      throttled: line.throttled,
      failed: line.failed,
      empty: recorded?.suspect ? recorded.empty_answers : null,
      live,
      p50: latency.latency_p50_seconds,
      p95: latency.latency_p95_seconds,
    });
  const recorded = new Map(overview.routes.map((line) => [line.route, line]));
  for (const line of overview.routes) add(line, null, line, line);
  for (const route of status?.routes ?? []) add(route, route, route, recorded.get(route.route));
  return [...rows.values()].sort((a, b) => a.route.localeCompare(b.route));
}

function Routes({ rows, going }: { rows: RouteRow[]; going: boolean }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={t("routes")}>
      <table class="wide">
        <thead>
          <tr>
            <th scope="col">{t("route")}</th>
            <th scope="col">{t("model")}</th>
            {going && (
              <th scope="col" class="number">
                {t("in_flight")}
              </th>
            )}
            <th scope="col" class="number">
              {t("answered")}
            </th>
            <th scope="col" class="number">
              {t("throttled")}
            </th>
            <th scope="col" class="number">
              {t("throttle_share")}
            </th>
            <th scope="col" class="number">
              {t("failed")}
            </th>
            <th scope="col" class="number" title={t("latency.title")}>
              {t("latency.p50")}
            </th>
            <th scope="col" class="number" title={t("latency.title")}>
              {t("latency.p95")}
            </th>
            <th scope="col">{t("runs.state")}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.route}>
              <th scope="row" class="mono">
                {row.route}
              </th>
              <td>{row.model}</td>
              {going && <td class="number">{whole(row.live?.in_flight ?? 0)}</td>}
              <td class="number">{whole(row.answered)}</td>
              <td class={`number ${row.throttled > 0 ? "warn-text" : ""}`}>{whole(row.throttled)}</td>
              <td class="number">{percent(row.throttled, row.answered + row.throttled + row.failed)}</td>
              <td class={`number ${row.failed > 0 ? "bad-text" : ""}`}>{whole(row.failed)}</td>
              <td class="number">{row.p50 === null ? "–" : duration(row.p50)}</td>
              <td class="number">{row.p95 === null ? "–" : duration(row.p95)}</td>
              <td>
                {row.empty !== null && (
                  <>
                    <Badge tone="bad" title={t("route.suspect.title", { count: whole(row.empty) })}>
                      {t("route.suspect")}
                    </Badge>{" "}
                  </>
                )}
                {row.live === null ? (
                  row.empty === null && "–"
                ) : !row.live.usable ? (
                  <>
                    <Badge tone="bad">{t("route.out")}</Badge> <Foreign class="muted" text={row.live.reason} />
                  </>
                ) : row.live.closed_for_seconds !== null ? (
                  <Badge tone="warn">
                    {t(row.live.breaker_open ? "route.breaker" : "lane.closed", {
                      time: duration(row.live.closed_for_seconds),
                    })}
                  </Badge>
                ) : (
                  <Badge tone="good">{t("route.open")}</Badge>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Provider(props: {
  name: string;
  rows: RouteRow[];
  limits: Limit[];
  timeline: Timeline | null;
  samples: Sample[];
  going: boolean;
}) {
  const { name, timeline, samples } = props;
  const series = useMemo(() => {
    const mine = (route: string) => providerOf(route) === name;
    return joined(timeline && fromTimeline(timeline, mine), fromSamples(samples, mine));
  }, [timeline, samples, name]);
  const throttled = props.rows.reduce((sum, row) => sum + row.throttled, 0);
  return (
    <Panel
      title={name}
      class="provider"
      aside={
        <span class="muted">
          {t("provider.note", { routes: props.rows.length, limits: props.limits.length })}
          {throttled > 0 && <span class="warn-text"> · {t("provider.throttled", { count: whole(throttled) })}</span>}
        </span>
      }
    >
      {props.limits.length > 0 && (
        <div class="lanes" role="group" aria-label={t("limits")}>
          {props.limits.map((limit) => (
            <Lane key={`${limit.domain}/${limit.kind}/${limit.window_seconds}`} limit={limit} />
          ))}
        </div>
      )}
      <Routes rows={props.rows} going={props.going} />
      <RequestChart series={series} height={110} />
    </Panel>
  );
}

export function LanesPage({ run, live, samples }: { run: string; live: Live; samples: Sample[] }) {
  const going = live.connection === "live";
  const overview = useAsked<Overview>(runPath(run), going ? 15 : 0);
  const timeline = useAsked<Timeline>(`${runPath(run)}/timeline`, going ? 60 : 0);
  const status = going ? live.status : null;
  return (
    <>
      <div class="page-head">
        <h1>{t("page.lanes")}</h1>
        {status && (
          <p class="muted">{t("lanes.note", { in_flight: whole(status.in_flight), waiting: whole(status.waiting) })}</p>
        )}
      </div>
      {!going && <p class="notice">{t("lanes.finished")}</p>}
      <Waiting asked={overview}>
        {(data) => {
          const rows = rowsOf(data, status);
          const limits = status?.limits ?? [];
          const names = [
            ...new Set([
              ...rows.map((row) => providerOf(row.route)),
              ...limits.map((limit) => providerOf(limit.domain)),
            ]),
          ].sort();
          return names.map((name) => (
            <Provider
              key={name}
              name={name}
              rows={rows.filter((row) => providerOf(row.route) === name)}
              limits={limits.filter((limit) => providerOf(limit.domain) === name)}
              timeline={timeline.data}
              samples={samples}
              going={going}
            />
          ));
        }}
      </Waiting>
    </>
  );
}
