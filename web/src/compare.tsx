import { runPath, type ComparePage as Page, type Overview, type Trial } from "./api";
import { percent, whole } from "./format";
import { Paging, Panel, useAsked, Waiting } from "./parts";
import { go, withQuery } from "./route";
import { t, word } from "./settings";
import { TranscriptView } from "./transcript";
import { Verdict } from "./trials";

function Models({ query, models }: { query: URLSearchParams; models: string[] }) {
  const side = (name: "a" | "b") => (
    <label>
      {t(name === "a" ? "compare.a" : "compare.b")}
      <select
        name={name}
        value={query.get(name) ?? ""}
        onChange={(event) => go(withQuery({ [name]: event.currentTarget.value, left: null, right: null }))}
      >
        <option value="">{t("compare.choose")}</option>
        {models.map((model) => (
          <option key={model} value={model}>
            {model}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <form class="filters" aria-label={t("filters")} onSubmit={(event) => event.preventDefault()}>
      {side("a")}
      {side("b")}
      <label class="check">
        <input
          type="checkbox"
          name="differ"
          checked={query.get("differ") === "1"}
          onChange={(event) => go(withQuery({ differ: event.currentTarget.checked ? 1 : null }))}
        />
        {t("compare.differ")}
      </label>
    </form>
  );
}

function Summary({ page, a, b }: { page: Page; a: string; b: string }) {
  const all = page.both + page.only_a + page.only_b + page.neither;
  const cells: [string, number][] = [
    [t("compare.both"), page.both],
    [t("compare.only", { model: a }), page.only_a],
    [t("compare.only", { model: b }), page.only_b],
    [t("compare.neither"), page.neither],
  ];
  return (
    <div class="tiles">
      {cells.map(([label, count]) => (
        <div class="tile" key={label}>
          <div class="tile-label">{label}</div>
          <div class="tile-value">{whole(count)}</div>
          <div class="tile-note">{percent(count, all)}</div>
        </div>
      ))}
    </div>
  );
}

function factors(trial: Trial): string {
  return [word(trial.prompt), trial.severity && word(trial.severity), word(trial.difficulty), trial.tool_success_rate]
    .filter(Boolean)
    .join(" · ");
}

function Pairs({ page, a, b }: { page: Page; a: string; b: string }) {
  const paging = (
    <Paging
      total={page.total}
      offset={page.offset}
      limit={page.limit}
      go={(offset) => go(withQuery({ offset: offset || null }))}
    />
  );
  return (
    <Panel title={t("compare.pairs")} aside={paging}>
      <div class="scroll" tabIndex={0} role="region" aria-label={t("compare.pairs")}>
        <table class="wide dense">
          <thead>
            <tr>
              <th scope="col">{t("task")}</th>
              <th scope="col">{t("matrix.factors")}</th>
              <th scope="col">{a}</th>
              <th scope="col">{b}</th>
              <th scope="col" class="number">
                {t("turns")}
              </th>
            </tr>
          </thead>
          <tbody>
            {page.pairs.map((pair) => (
              <tr key={pair.a.trial}>
                <th scope="row">
                  <a
                    class="row-link mono"
                    href={withQuery({ left: pair.a.trial, right: pair.b.trial, offset: page.offset || null })}
                  >
                    {pair.a.task}
                  </a>
                  {pair.a.repeat > 0 && <span class="muted"> ×{pair.a.repeat + 1}</span>}
                </th>
                <td>{factors(pair.a)}</td>
                <td>
                  <Verdict trial={pair.a} />
                </td>
                <td>
                  <Verdict trial={pair.b} />
                </td>
                <td class="number">
                  {pair.a.turns} / {pair.b.turns}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

function Pairing({ run, query, a, b }: { run: string; query: URLSearchParams; a: string; b: string }) {
  const search = new URLSearchParams({ a, b });
  for (const name of ["differ", "offset"]) {
    const value = query.get(name);
    if (value) search.set(name, value);
  }
  const page = useAsked<Page>(`${runPath(run)}/compare?${search.toString()}`);
  return (
    <Waiting asked={page}>
      {(data) => (
        <>
          <Summary page={data} a={a} b={b} />
          <Pairs page={data} a={a} b={b} />
        </>
      )}
    </Waiting>
  );
}

export function ComparePage({ run, query }: { run: string; query: URLSearchParams }) {
  const overview = useAsked<Overview>(runPath(run));
  const models = overview.data?.models.map((model) => model.model) ?? [];
  const a = query.get("a") ?? "";
  const b = query.get("b") ?? "";
  const left = Number(query.get("left") ?? "");
  const right = Number(query.get("right") ?? "");
  if (left > 0 && right > 0) {
    return (
      <>
        <p>
          <a href={withQuery({ left: null, right: null, offset: query.get("offset") })}>← {t("compare.back")}</a>
        </p>
        <div class="side-by-side">
          <TranscriptView run={run} trial={left} side="a" />
          <TranscriptView run={run} trial={right} side="b" />
        </div>
      </>
    );
  }
  return (
    <>
      <div class="page-head">
        <h1>{t("page.compare")}</h1>
      </div>
      <Models query={query} models={models} />
      {a && b ? (
        <Pairing run={run} query={query} a={a} b={b} />
      ) : (
        <p class="notice">{t(models.length < 2 && overview.data ? "compare.one" : "compare.note")}</p>
      )}
    </>
  );
}
