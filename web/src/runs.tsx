import type { RunLine } from "./api";
import { percent, time, whole } from "./format";
import { Badge, Bar, Simulated } from "./parts";
import { address } from "./route";
import { t } from "./settings";

function state(run: RunLine) {
  if (run.error)
    return (
      <Badge tone="bad" title={run.error}>
        {t("runs.unreadable")}
      </Badge>
    );
  if (run.live) return <Badge tone="good">{t("state.running")}</Badge>;
  if (run.last_event === "run_finished") return <Badge>{t("state.finished")}</Badge>;
  return <Badge tone="warn">{t("runs.interrupted")}</Badge>;
}

export function RunsPage({ runs }: { runs: RunLine[] }) {
  if (runs.length === 0) return <p class="notice">{t("runs.none")}</p>;
  return (
    <table class="wide">
      <thead>
        <tr>
          <th scope="col">{t("runs.run")}</th>
          <th scope="col">{t("runs.state")}</th>
          <th scope="col">{t("progress")}</th>
          <th scope="col" class="number">
            {t("scored")}
          </th>
          <th scope="col" class="number">
            {t("planned")}
          </th>
          <th scope="col">{t("runs.created")}</th>
        </tr>
      </thead>
      <tbody>
        {runs.map((run) => (
          <tr key={run.run}>
            <th scope="row">
              <a class="row-link" href={address(run.run)}>
                {run.run}
              </a>{" "}
              {run.simulated && <Simulated />}
            </th>
            <td>{state(run)}</td>
            <td class="bar-cell">
              <Bar
                label={percent(run.scored ?? 0, run.planned ?? 0)}
                total={run.planned ?? 0}
                parts={[{ value: run.scored ?? 0, tone: "done" }]}
              />
            </td>
            <td class="number">{whole(run.scored ?? 0)}</td>
            <td class="number">{whole(run.planned ?? 0)}</td>
            <td>{time(run.created ?? null)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
