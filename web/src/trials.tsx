import { useRef } from "preact/hooks";
import { runPath, type Cell, type Trial, type TrialPage } from "./api";
import { dollars, duration, share, whole } from "./format";
import { Badge, Paging, Panel, useAsked, Waiting } from "./parts";
import { address, go, withQuery } from "./route";
import { t, word, type Key } from "./settings";

const kLevels = ["full", "partial", "failure"];
const kLabels = [
  "no_command",
  "tool_call_format",
  "refused",
  "truncated",
  "loop",
  "tool_selection",
  "parameter_config",
  "sequence_order",
  "dependency",
  "early_finish",
  "max_turns",
  "other",
];
const kOutcomes = [
  "scored",
  "open",
  "throttled",
  "auth",
  "quota_exhausted",
  "timeout",
  "connection",
  "provider_error",
  "wrong_model",
  "cancelled",
];
const kNumbers: { name: string; key: Key; step: string }[] = [
  { name: "repairs_min", key: "filter.repairs", step: "1" },
  { name: "injected_min", key: "filter.injected", step: "1" },
  { name: "cost_min", key: "filter.cost", step: "0.001" },
  { name: "latency_min", key: "filter.latency", step: "0.1" },
];
const kNames = [
  "model",
  "task_type",
  "prompt",
  "difficulty",
  "success",
  "level",
  "label",
  "outcome",
  "cell",
  "task",
  ...kNumbers.map((one) => one.name),
];

function Choice(props: { name: string; label: string; value: string; options: string[] }) {
  // A value that came with a link stays choosable.
  const options = props.value && !props.options.includes(props.value) ? [...props.options, props.value] : props.options;
  return (
    <label>
      {props.label}
      <select
        name={props.name}
        value={props.value}
        onChange={(event) => go(withQuery({ [props.name]: event.currentTarget.value }))}
      >
        <option value="">{t("all")}</option>
        {options.map((option) => (
          <option key={option} value={option}>
            {props.name === "success" ? t(option === "1" ? "yes" : "no") : word(option)}
          </option>
        ))}
      </select>
    </label>
  );
}

function AtLeast(props: { name: string; label: string; value: string; step: string }) {
  const timer = useRef(0);
  return (
    <label>
      {props.label}
      <input
        type="number"
        name={props.name}
        min="0"
        step={props.step}
        value={props.value}
        onInput={(event) => {
          const value = event.currentTarget.value;
          window.clearTimeout(timer.current);
          timer.current = window.setTimeout(() => go(withQuery({ [props.name]: value }), { replace: true }), 250);
        }}
      />
    </label>
  );
}

function Filters({ query, cells }: { query: URLSearchParams; cells: Cell[] }) {
  const value = (name: string) => query.get(name) ?? "";
  const of = (pick: (cell: Cell) => string) => [...new Set(cells.map(pick))].filter(Boolean).sort();
  const set = kNames.filter((name) => value(name) !== "");
  const cell = cells.find((one) => one.cell === value("cell"));
  return (
    <form class="filters" onSubmit={(event) => event.preventDefault()} aria-label={t("filters")}>
      <Choice name="model" label={t("model")} value={value("model")} options={of((one) => one.model)} />
      <Choice
        name="task_type"
        label={t("task_type")}
        value={value("task_type")}
        options={["simple_task", "basic_task", "data_pipeline", "api_integration", "multi_stage_pipeline"]}
      />
      <Choice name="prompt" label={t("prompt")} value={value("prompt")} options={of((one) => one.prompt)} />
      <Choice name="success" label={t("success")} value={value("success")} options={["1", "0"]} />
      <Choice name="level" label={t("level")} value={value("level")} options={kLevels} />
      <Choice name="label" label={t("label")} value={value("label")} options={kLabels} />
      <Choice name="outcome" label={t("outcome")} value={value("outcome")} options={kOutcomes} />
      {kNumbers.map((one) => (
        <AtLeast key={one.name} name={one.name} label={t(one.key)} value={value(one.name)} step={one.step} />
      ))}
      {cell && (
        <p class="chip">
          {t("filter.cell", {
            cell: [
              cell.model,
              word(cell.prompt),
              cell.severity && word(cell.severity),
              word(cell.difficulty),
              cell.tool_success_rate,
            ]
              .filter(Boolean)
              .join(" · "),
          })}
          <button
            type="button"
            class="quiet"
            aria-label={t("filter.cell.clear")}
            onClick={() => go(withQuery({ cell: null }))}
          >
            ✕
          </button>
        </p>
      )}
      {set.length > 0 && (
        <button type="button" onClick={() => go(withQuery(Object.fromEntries(set.map((name) => [name, null]))))}>
          {t("filters.clear")}
        </button>
      )}
    </form>
  );
}

export function Verdict({ trial }: { trial: Trial }) {
  if (trial.outcome === "") return <Badge tone="info">{t("outcome.open")}</Badge>;
  if (trial.outcome !== "scored")
    return <Badge tone="bad">{t("outcome.lost", { outcome: word(trial.outcome) })}</Badge>;
  if (trial.success) return <Badge tone="good">{t("outcome.success")}</Badge>;
  return <Badge tone={trial.level === "partial" ? "warn" : "bad"}>{word(trial.label)}</Badge>;
}

const kColumns: { key: Key; sort?: string; number?: boolean }[] = [
  { key: "trial", sort: "id" },
  { key: "model" },
  { key: "task" },
  { key: "prompt" },
  { key: "outcome" },
  { key: "progress", sort: "progress", number: true },
  { key: "turns", sort: "turns", number: true },
  { key: "repairs", sort: "repairs", number: true },
  { key: "injected", number: true },
  { key: "cost", sort: "cost", number: true },
  { key: "latency.mean", sort: "latency", number: true },
];

function Heading({ column, query }: { column: (typeof kColumns)[number]; query: URLSearchParams }) {
  const sort = query.get("sort") ?? "id";
  const order = query.get("order") ?? "asc";
  const mine = column.sort !== undefined && column.sort === sort;
  const next = mine && order === "desc" ? "asc" : mine ? "desc" : column.sort === "id" ? "asc" : "desc";
  return (
    <th
      scope="col"
      class={column.number ? "number" : ""}
      aria-sort={mine ? (order === "desc" ? "descending" : "ascending") : undefined}
    >
      {column.sort ? (
        <button type="button" class="sort" onClick={() => go(withQuery({ sort: column.sort ?? null, order: next }))}>
          {t(column.key)} <span aria-hidden="true">{mine ? (order === "desc" ? "▾" : "▴") : ""}</span>
        </button>
      ) : (
        t(column.key)
      )}
    </th>
  );
}

function Row({ run, trial }: { run: string; trial: Trial }) {
  return (
    <tr>
      <th scope="row">
        <a class="row-link" href={address(run, `trials/${trial.trial}`)}>
          #{trial.trial}
        </a>
      </th>
      <td>{trial.model}</td>
      <td class="mono">
        {trial.task}
        {trial.repeat > 0 && <span class="muted"> ×{trial.repeat + 1}</span>}
      </td>
      <td>
        {word(trial.prompt)}
        {trial.severity && <span class="muted"> {word(trial.severity)}</span>}
      </td>
      <td>
        <Verdict trial={trial} />
      </td>
      <td class="number">{trial.progress === null ? "–" : share(trial.progress)}</td>
      <td class="number">{trial.turns || "–"}</td>
      <td class={`number ${trial.repaired > 0 ? "warn-text" : ""}`}>{trial.repaired}</td>
      <td class="number">{trial.injected}</td>
      <td class="number">{dollars(trial.cost_micro_usd)}</td>
      <td class="number">{trial.latency_seconds === null ? "–" : duration(trial.latency_seconds)}</td>
    </tr>
  );
}

export function TrialsPage({ run, query, live }: { run: string; query: URLSearchParams; live: boolean }) {
  const search = query.toString();
  const page = useAsked<TrialPage>(`${runPath(run)}/trials${search ? `?${search}` : ""}`, live ? 5 : 0);
  const cells = useAsked<{ cells: Cell[] }>(`${runPath(run)}/cells`);
  return (
    <>
      <div class="page-head">
        <h1>{t("page.trials")}</h1>
      </div>
      <Filters query={query} cells={cells.data?.cells ?? []} />
      <Waiting asked={page}>
        {(data) => {
          const paging = (
            <Paging
              total={data.total}
              offset={data.offset}
              limit={data.limit}
              go={(offset) => go(withQuery({ offset: offset || null }))}
            />
          );
          return (
            <Panel title={t("trials.title", { total: whole(data.total) })} aside={paging}>
              <div class="scroll" tabIndex={0} role="region" aria-label={t("page.trials")} aria-busy={page.loading}>
                <table class="wide dense">
                  <thead>
                    <tr>
                      {kColumns.map((column) => (
                        <Heading key={column.key} column={column} query={query} />
                      ))}
                    </tr>
                  </thead>
                  <tbody>
                    {data.trials.map((trial) => (
                      <Row key={trial.trial} run={run} trial={trial} />
                    ))}
                  </tbody>
                </table>
              </div>
            </Panel>
          );
        }}
      </Waiting>
    </>
  );
}
