import { runPath, type Cell } from "./api";
import { share, whole } from "./format";
import { Panel, Simulated, useAsked, Waiting } from "./parts";
import { address, go, withQuery } from "./route";
import { t, word } from "./settings";

interface Row {
  key: string;
  scenario: string;
  factors: string[];
  cells: Map<string, Cell>; // by model
}

function rowsOf(cells: Cell[]): Row[] {
  const rows = new Map<string, Row>();
  const turnsVary = new Set(cells.map((cell) => cell.max_turns)).size > 1;
  for (const cell of cells) {
    const scenario = cell.scenarios.split(",")[0] ?? "";
    const factors = [
      word(cell.prompt),
      cell.severity ? word(cell.severity) : "",
      word(cell.difficulty),
      t("matrix.rate", { rate: cell.tool_success_rate }),
      cell.protocol === "text" ? "" : word(cell.protocol),
      turnsVary ? t("matrix.turns", { turns: cell.max_turns }) : "",
    ].filter(Boolean);
    const key = [
      scenario,
      cell.prompt,
      cell.severity,
      cell.difficulty,
      cell.tool_success_rate,
      cell.protocol,
      cell.max_turns,
    ].join("\n");
    const row = rows.get(key) ?? { key, scenario, factors, cells: new Map<string, Cell>() };
    row.cells.set(cell.model, cell);
    rows.set(key, row);
  }
  return [...rows.values()];
}

function HeatCell({ run, cell, model }: { run: string; cell: Cell | undefined; model: string }) {
  if (!cell) return <td class="heat none" aria-label={t("matrix.no_cell")} />;
  const rate = cell.scored > 0 ? cell.succeeded / cell.scored : null;
  const missing = cell.lost + cell.open;
  const title = t("matrix.cell", {
    model,
    success: rate === null ? "–" : share(rate),
    scored: whole(cell.scored),
    planned: whole(cell.planned),
    lost: whole(cell.lost),
  });
  return (
    <td class={`heat ${rate === null ? "none" : `h${Math.round(rate * 10)}`}`}>
      <a class="row-link" href={address(run, "trials", { cell: cell.cell })} title={title}>
        <span class="heat-value">
          <span class="hidden">{model}: </span>
          {rate === null ? "–" : share(rate)}
        </span>
        <span class="heat-note">
          {whole(cell.scored)}
          {missing > 0 && `/${whole(cell.planned)}`}
          {cell.lost > 0 && ` −${whole(cell.lost)}`}
        </span>
      </a>
    </td>
  );
}

function Scale() {
  return (
    <div class="scale" aria-hidden="true">
      <span>0 %</span>
      {Array.from({ length: 11 }, (_, i) => (
        <span key={i} class={`scale-step heat h${i}`} />
      ))}
      <span>100 %</span>
    </div>
  );
}

export function MatrixPage({ run, query, live }: { run: string; query: URLSearchParams; live: boolean }) {
  const cells = useAsked<{ cells: Cell[] }>(`${runPath(run)}/cells`, live ? 5 : 0);
  const wanted = query.get("scenario") ?? "";
  return (
    <>
      <div class="page-head">
        <h1>{t("page.matrix")}</h1>
        <Scale />
      </div>
      <Waiting asked={cells}>
        {(data) => {
          const models = [...new Set(data.cells.map((cell) => cell.model))].sort();
          const simulated = new Set(data.cells.filter((cell) => cell.simulated).map((cell) => cell.model));
          const scenarios = [...new Set(data.cells.flatMap((cell) => cell.scenarios.split(",")))].sort();
          // A cell that several scenarios share is shown under the first, and found under each.
          const rows = rowsOf(data.cells.filter((cell) => !wanted || cell.scenarios.split(",").includes(wanted)));
          const groups = [...new Set(rows.map((row) => row.scenario))];
          return (
            <>
              <div class="filters">
                <label>
                  {t("scenario")}
                  <select value={wanted} onChange={(event) => go(withQuery({ scenario: event.currentTarget.value }))}>
                    <option value="">{t("all")}</option>
                    {scenarios.map((scenario) => (
                      <option key={scenario} value={scenario}>
                        {word(scenario)}
                      </option>
                    ))}
                  </select>
                </label>
                <p class="muted">{t("matrix.note")}</p>
              </div>
              <Panel title={t("matrix.title", { cells: data.cells.length })}>
                <div class="scroll" tabIndex={0} role="region" aria-label={t("page.matrix")}>
                  <table class="matrix">
                    <thead>
                      <tr>
                        <th scope="col">{t("matrix.factors")}</th>
                        {models.map((model) => (
                          <th scope="col" key={model}>
                            {model} {simulated.has(model) && <Simulated />}
                          </th>
                        ))}
                      </tr>
                    </thead>
                    {groups.map((scenario) => (
                      <tbody key={scenario}>
                        <tr class="group">
                          <th scope="rowgroup" colSpan={models.length + 1}>
                            {word(scenario)}
                          </th>
                        </tr>
                        {rows
                          .filter((row) => row.scenario === scenario)
                          .map((row) => (
                            <tr key={row.key}>
                              <th scope="row">{row.factors.join(" · ")}</th>
                              {models.map((model) => (
                                <HeatCell key={model} run={run} model={model} cell={row.cells.get(model)} />
                              ))}
                            </tr>
                          ))}
                      </tbody>
                    ))}
                  </table>
                </div>
              </Panel>
            </>
          );
        }}
      </Waiting>
    </>
  );
}
