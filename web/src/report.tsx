import { runPath } from "./api";
import { Panel, useAsked, Waiting } from "./parts";
import { language, t } from "./settings";

interface Figures {
  figures: { title: string; table: string }[];
}

/** The report that `sortie report` writes: a link to all of it in either language, and its figures. */
export function ReportPage({ run, live }: { run: string; live: boolean }) {
  const path = runPath(run);
  const asked = useAsked<Figures>(`${path}/figures?lang=${language()}`);
  return (
    <>
      <div class="page-head">
        <h1>{t("page.report")}</h1>
        <div class="controls">
          <span class="muted">{t("report.whole")}</span>
          <a class="button" href={`${path}/report?lang=en`} target="_blank" lang="en">
            English
          </a>
          <a class="button" href={`${path}/report?lang=zh`} target="_blank" lang="zh-CN">
            中文
          </a>
        </div>
      </div>
      <p class="muted">{live ? t("report.live") : t("report.note", { run })}</p>
      <Waiting asked={asked}>
        {(data) => (
          <Panel title={t("report.figures")}>
            {data.figures.length === 0 && <p class="muted pad">{t("report.no_figures")}</p>}
            <div class="figures">
              {data.figures.map((figure, i) => (
                <figure key={`${figure.table}/${i}`}>
                  <img src={`${path}/figures/${i}?lang=${language()}`} alt={figure.title} loading="lazy" />
                  <figcaption>{t("report.caption", { title: figure.title, table: figure.table })}</figcaption>
                </figure>
              ))}
            </div>
          </Panel>
        )}
      </Waiting>
    </>
  );
}
