import { useEffect, useState } from "preact/hooks";
import { askText, runPath, type Call, type Json, type Message, type Transcript, type Turn } from "./api";
import { bytes, dollars, duration, share, visible, whole } from "./format";
import { Lineage } from "./lineage";
import { Badge, Failure, Foreign, Panel, Simulated, useAsked, Waiting } from "./parts";
import { address } from "./route";
import { t, word } from "./settings";
import { Verdict } from "./trials";

const kShown = 4000; // characters, of which one sees more on request

/** A long text at first in part; what the server cut is fetched when it is wanted. */
function Long({ text, size, whole: path }: { text: string; size?: number | undefined; whole?: string }) {
  const [all, setAll] = useState<string | null>(null);
  const [open, setOpen] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const cut = size !== undefined && all === null;
  const known = all ?? text;
  const more = cut || known.length > kShown;
  const show = async () => {
    try {
      if (cut && path) setAll(await askText(path));
      setOpen(true);
    } catch (failure) {
      setError(failure as Error);
    }
  };
  return (
    <>
      <pre class="text">{visible(open ? known : known.slice(0, kShown))}</pre>
      {error && <Failure error={error} />}
      {more && (
        <button type="button" class="more" onClick={() => (open ? setOpen(false) : void show())}>
          {open ? t("text.less") : t("text.all", { size: bytes(size ?? known.length) })}
        </button>
      )}
    </>
  );
}

function compact(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function CallLine({ call, command }: { call: Call | undefined; command: Turn["commands"][number] }) {
  const tone = !command.ran ? "plain" : command.succeeded ? "good" : call?.status === "injected" ? "warn" : "bad";
  const state = !command.ran
    ? t("command.not_run")
    : call
      ? t(`call.${call.status}`)
      : command.succeeded
        ? t("call.ok")
        : t("call.rejected");
  return (
    <li class={`call ${tone}`}>
      <div class="call-head">
        <Badge tone={tone}>{state}</Badge> <span class="mono">{word(command.kind)}</span>{" "}
        <Foreign class="mono strong" text={call?.tool ?? command.name.slice(0, 200)} />
        {call?.artifact && <span class="mono artifact">→ {call.artifact}</span>}
        {call && call.code !== "" && <span class="mono bad-text"> {call.code}</span>}
      </div>
      {call && (
        <details>
          <summary>{t("call.details")}</summary>
          <dl class="facts">
            <div>
              <dt>{t("call.arguments")}</dt>
              <dd class="mono">
                <Foreign text={compact(call.arguments).slice(0, kShown)} />
              </dd>
            </div>
            <div>
              <dt>{t("call.result")}</dt>
              <dd class="mono">
                <Foreign text={(call.status === "ok" ? compact(call.result) : call.message).slice(0, kShown)} />
              </dd>
            </div>
          </dl>
        </details>
      )}
    </li>
  );
}

function TurnBadges({ turn, evidence }: { turn: Turn; evidence: string | null }) {
  return (
    <>
      {evidence !== null && (
        <Badge tone="bad" title={t("turn.evidence.title")}>
          {t("turn.evidence", { label: word(evidence) })}
        </Badge>
      )}
      {turn.injected && (
        <Badge tone="warn" title={t("turn.injected.title")}>
          {t("turn.injected")}
        </Badge>
      )}
      {turn.repairs.map((repair) => (
        <Badge key={repair} tone="info" title={t("turn.repaired.title")}>
          {t("turn.repaired", { repair: word(repair) })}
        </Badge>
      ))}
      {!turn.understood && !turn.empty && <Badge tone="bad">{t("turn.not_understood")}</Badge>}
      {turn.empty && <Badge tone="bad">{t("turn.empty")}</Badge>}
      {turn.truncated && <Badge tone="bad">{t("turn.truncated")}</Badge>}
      {turn.filtered && <Badge tone="bad">{t("turn.filtered")}</Badge>}
      {turn.refused && <Badge tone="bad">{t("turn.refused")}</Badge>}
    </>
  );
}

function Answer(props: {
  message: Message;
  turn: Turn | undefined;
  calls: Call[];
  evidence: string | null;
  path: string;
  id: string;
}) {
  const { message, turn } = props;
  return (
    <article class="message assistant" id={turn ? `${props.id}-turn-${turn.turn}` : undefined}>
      <header>
        <h3>{turn ? t("turn", { turn: turn.turn + 1 }) : t("role.assistant")}</h3>
        {turn && (
          <>
            <span class="muted mono">
              {turn.route} · <Foreign text={turn.served_model} /> ·{" "}
              {t("turn.tokens", { input: whole(turn.input_tokens), output: whole(turn.output_tokens) })}
            </span>
            <TurnBadges turn={turn} evidence={props.evidence} />
          </>
        )}
      </header>
      {turn && turn.reasoning !== "" && (
        <details>
          <summary>{t("turn.reasoning")}</summary>
          <Long text={turn.reasoning} />
        </details>
      )}
      <Long text={message.text} size={message.size} whole={props.path} />
      {message.tool_calls.map((call, i) => (
        <pre class="text native" key={i}>
          {visible(`${call.name}(${call.arguments})`)}
        </pre>
      ))}
      {turn && turn.commands.length > 0 && (
        <ul class="calls">
          {turn.commands.map((command, i) => (
            <CallLine key={i} command={command} call={command.call === null ? undefined : props.calls[command.call]} />
          ))}
        </ul>
      )}
    </article>
  );
}

function Other({ message, path }: { message: Message; path: string }) {
  const names: Record<string, string> = { system: t("role.system"), user: t("role.user"), tool: t("role.tool") };
  const body = <Long text={message.text} size={message.size} whole={path} />;
  return (
    <article class={`message ${message.role}`}>
      {message.role === "system" ? (
        <details>
          <summary>{names[message.role]}</summary>
          {body}
        </details>
      ) : (
        <>
          <header>
            <h3>{names[message.role] ?? message.role}</h3>
          </header>
          {body}
        </>
      )}
    </article>
  );
}

function Conversation({ transcript, path, id }: { transcript: Transcript; path: string; id: string }) {
  const turns = new Map(transcript.turns.map((turn) => [turn.message, turn]));
  const label = transcript.score && !transcript.score.success ? transcript.score : null;
  return (
    <div class="conversation">
      {transcript.messages.map((message, i) => {
        const where = `${path}/messages/${i}`;
        const turn = turns.get(i);
        const evidence = label !== null && turn !== undefined && label.label_turn === turn.turn ? label.label : null;
        return message.role === "assistant" ? (
          <Answer
            key={i}
            message={message}
            turn={turn}
            calls={transcript.calls}
            evidence={evidence}
            path={where}
            id={id}
          />
        ) : (
          <Other key={i} message={message} path={where} />
        );
      })}
      <p class="end">{transcript.end === "open" ? t("end.open") : t("end", { end: word(transcript.end) })}</p>
    </div>
  );
}

function ScorePanel({ transcript, id }: { transcript: Transcript; id: string }) {
  const { score } = transcript;
  if (!score) return <Panel title={t("score")}>{<p class="muted pad">{t("score.none")}</p>}</Panel>;
  const rows: [string, string][] = [
    [t("progress"), share(score.progress)],
    [t("level"), word(score.level)],
    [t("score.order"), score.order === null ? "–" : share(score.order)],
    [t("score.coverage"), share(score.tool_coverage)],
    [t("score.efficiency"), score.efficiency === null ? "–" : share(score.efficiency)],
    [
      t("score.calls"),
      t("score.calls.text", { ok: score.calls_ok, rejected: score.calls_rejected, injected: score.calls_injected }),
    ],
    [t("repaired"), whole(score.turns_repaired)],
    [t("turn.not_understood"), whole(score.turns_not_understood)],
  ];
  if (score.flawed_places !== null)
    rows.push([t("score.followed"), `${score.followed_places ?? 0} / ${score.flawed_places}`]);
  return (
    <Panel title={t("score")}>
      {!score.success && (
        <p class="pad">
          {t("score.label")} <strong>{word(score.label)}</strong>
          {score.label_turn !== null && (
            <>
              {" "}
              · <a href={`#${id}-turn-${score.label_turn}`}>{t("score.evidence", { turn: score.label_turn + 1 })}</a>
            </>
          )}
        </p>
      )}
      <dl class="facts">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </Panel>
  );
}

function GoalPanel({ transcript, id }: { transcript: Transcript; id: string }) {
  return (
    <Panel
      title={t("goal")}
      aside={
        <span class="muted">
          {t("goal.done", {
            done: transcript.required.filter((one) => one.done).length,
            of: transcript.required.length,
          })}
        </span>
      }
    >
      <ol class="steps">
        {transcript.required.map((operation, i) => {
          const turn = operation.call === null ? undefined : transcript.calls[operation.call]?.turn;
          return (
            <li key={i} class={operation.done ? "done" : "missing"}>
              <span class="mono strong">{operation.tool}</span>{" "}
              {operation.done ? <Badge tone="good">{t("goal.yes")}</Badge> : <Badge tone="bad">{t("goal.no")}</Badge>}
              {turn !== undefined && (
                <>
                  {" "}
                  <a href={`#${id}-turn-${turn}`}>{t("turn", { turn: turn + 1 })}</a>
                </>
              )}
              <div class="mono muted">
                <Foreign text={compact(operation.values)} />
              </div>
            </li>
          );
        })}
      </ol>
    </Panel>
  );
}

function PlanPanel({ transcript }: { transcript: Transcript }) {
  const { plan } = transcript;
  if (!plan) return null;
  const missing = plan.flaws.filter((flaw) => flaw.flaw === "missing_step");
  return (
    <Panel
      title={t("plan")}
      aside={
        plan.flaws.length > 0 ? <Badge tone="warn">{t("plan.flawed", { count: plan.flaws.length })}</Badge> : undefined
      }
    >
      <ol class="steps plan">
        {plan.steps.map((step, i) => {
          const flaws = plan.flaws.filter((flaw) => flaw.step === i);
          return (
            <li key={i} class={flaws.length > 0 ? "flawed" : ""}>
              <span class="mono strong">{step.tool}</span>
              {flaws.map((flaw, n) => (
                <Badge key={n} tone="warn">
                  {word(flaw.flaw)}
                </Badge>
              ))}
              <div class="mono muted">
                <Foreign text={compact(step.arguments)} />
              </div>
              {flaws.map((flaw, n) => (
                <div key={n} class="flaw">
                  {flaw.flaw === "missing_step" ? t("plan.missing") : t("plan.right")}{" "}
                  <span class="mono">{flaw.right_tool}</span>{" "}
                  <span class="mono">
                    <Foreign text={compact(flaw.right_arguments)} />
                  </span>
                  {flaw.parameters.length > 0 && <> · {t("plan.parameters", { names: flaw.parameters.join(", ") })}</>}
                </div>
              ))}
            </li>
          );
        })}
      </ol>
      {missing
        .filter((flaw) => flaw.step === null)
        .map((flaw, i) => (
          <p key={i} class="flaw pad">
            {t("plan.missing")} <span class="mono">{flaw.right_tool}</span>
          </p>
        ))}
    </Panel>
  );
}

function AttemptsPanel({ transcript }: { transcript: Transcript }) {
  return (
    <Panel title={t("attempts")} aside={<span class="muted">{whole(transcript.attempts.length)}</span>}>
      <div class="scroll" tabIndex={0} role="region" aria-label={t("attempts")}>
        <table class="dense">
          <thead>
            <tr>
              <th scope="col">{t("turn.short")}</th>
              <th scope="col">{t("route")}</th>
              <th scope="col">{t("attempt.end")}</th>
              <th scope="col" class="number">
                {t("attempt.time")}
              </th>
              <th scope="col" class="number">
                {t("cost")}
              </th>
            </tr>
          </thead>
          <tbody>
            {transcript.attempts.map((attempt, i) => (
              <tr key={i}>
                <td>{attempt.turn + 1}</td>
                <td class="mono">{attempt.route}</td>
                <td title={visible(attempt.message)}>
                  <span class={attempt.cause === "answered" ? "" : "warn-text"}>{word(attempt.cause)}</span>
                  {attempt.status !== 200 && attempt.status !== 0 && <span class="muted"> {attempt.status}</span>}
                </td>
                <td class="number">{attempt.cause === "unknown" ? "–" : duration(attempt.seconds)}</td>
                <td class="number">{dollars(attempt.cost_micro_usd)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

export function TranscriptView({ run, trial, side }: { run: string; trial: number; side?: string }) {
  const path = `${runPath(run)}/trials/${trial}`;
  const asked = useAsked<Transcript>(path);
  const id = side ?? "trial";
  const loaded = asked.data?.trial;
  useEffect(() => {
    // The part that the link names exists only now.
    if (loaded !== undefined && location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  }, [loaded]);
  return (
    <Waiting asked={asked}>
      {(transcript) => {
        const { summary } = transcript;
        const facts = [
          word(summary.prompt),
          summary.severity && word(summary.severity),
          word(summary.difficulty),
          t("matrix.rate", { rate: summary.tool_success_rate }),
          t("repeat", { repeat: summary.repeat + 1 }),
        ].filter(Boolean);
        return (
          <div class={side ? "transcript narrow" : "transcript"}>
            <div class="transcript-head">
              <h1>
                {side ? <a href={address(run, `trials/${trial}`)}>#{trial}</a> : `#${trial}`}{" "}
                <span class="mono">{summary.task}</span>
              </h1>
              <p>
                <strong>{summary.model}</strong> {transcript.simulated && <Simulated />} <Verdict trial={summary} />{" "}
                <span class="muted">
                  {facts.join(" · ")} · {t("turns.of", { turns: transcript.turns.length, max: transcript.max_turns })} ·{" "}
                  {dollars(summary.cost_micro_usd)}
                </span>
              </p>
              <p class="muted mono small">{transcript.key}</p>
            </div>
            <Conversation transcript={transcript} path={path} id={id} />
            <aside class="sidebar" aria-label={t("sidebar")}>
              <ScorePanel transcript={transcript} id={id} />
              <GoalPanel transcript={transcript} id={id} />
              <PlanPanel transcript={transcript} />
              <Panel title={t("lineage")}>
                <Lineage transcript={transcript} id={id} />
              </Panel>
              <AttemptsPanel transcript={transcript} />
            </aside>
          </div>
        );
      }}
    </Waiting>
  );
}

export function TranscriptPage({ run, trial }: { run: string; trial: number }) {
  return <TranscriptView key={trial} run={run} trial={trial} />;
}
