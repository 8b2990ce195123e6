import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, ask } from "./api";
import { share, visible } from "./format";
import { t } from "./settings";

export interface Asked<T> {
  data: T | null;
  error: ApiError | Error | null;
  loading: boolean;
}

/** Asks for a document; keeps the last one on the screen while the next is on its way. */
export function useAsked<T>(path: string | null, everySeconds = 0): Asked<T> {
  const [asked, setAsked] = useState<Asked<T> & { path: string | null }>({
    data: null,
    error: null,
    loading: true,
    path,
  });
  useEffect(() => {
    if (path === null) return;
    const abort = new AbortController();
    let timer = 0;
    const load = async () => {
      try {
        const data = await ask<T>(path, abort.signal);
        setAsked({ data, error: null, loading: false, path });
      } catch (error) {
        if (abort.signal.aborted) return;
        setAsked((old) => ({ data: old.path === path ? old.data : null, error: error as Error, loading: false, path }));
      }
      if (everySeconds > 0 && !abort.signal.aborted) timer = window.setTimeout(load, everySeconds * 1000);
    };
    setAsked((old) => ({ ...old, loading: true }));
    void load();
    return () => {
      abort.abort();
      window.clearTimeout(timer);
    };
  }, [path, everySeconds]);
  return asked;
}

export function Waiting<T>(props: { asked: Asked<T>; children: (data: T) => ComponentChildren }) {
  const { data, error } = props.asked;
  return (
    <>
      {error && <Failure error={error} />}
      {data
        ? props.children(data)
        : !error && (
            <p class="muted" role="status">
              {t("loading")}
            </p>
          )}
    </>
  );
}

export function Failure({ error }: { error: Error }) {
  const locked = error instanceof ApiError && error.status === 401;
  return (
    <div class="notice bad" role="alert">
      <strong>{locked ? t("locked.title") : t("error.title")}</strong> {locked ? t("locked.text") : error.message}
    </div>
  );
}

export function Panel(props: {
  title: string;
  aside?: ComponentChildren;
  children: ComponentChildren;
  class?: string;
  id?: string;
}) {
  return (
    <section class={`panel ${props.class ?? ""}`} id={props.id}>
      <header class="panel-head">
        <h2>{props.title}</h2>
        {props.aside}
      </header>
      {props.children}
    </section>
  );
}

export function Tile(props: { label: string; value: string; note?: ComponentChildren; tone?: string }) {
  return (
    <div class={`tile ${props.tone ?? ""}`}>
      <div class="tile-label">{props.label}</div>
      <div class="tile-value">{props.value}</div>
      {props.note && <div class="tile-note">{props.note}</div>}
    </div>
  );
}

export type Tone = "good" | "bad" | "warn" | "info" | "plain";

export function Badge(props: { tone?: Tone; title?: string; children: ComponentChildren }) {
  return (
    <span class={`badge ${props.tone ?? "plain"}`} title={props.title}>
      {props.children}
    </span>
  );
}

/** Parts of a whole as one bar; what is left is open. */
export function Bar(props: { label: string; total: number; parts: { value: number; tone: string }[] }) {
  const total = Math.max(props.total, 1);
  let at = 0;
  return (
    <svg class="bar" viewBox="0 0 100 4" preserveAspectRatio="none" role="img" aria-label={props.label}>
      <rect class="bar-rest" x="0" y="0" width="100" height="4" />
      {props.parts.map((part) => {
        const width = (100 * part.value) / total;
        at += width;
        return <rect key={part.tone} class={`bar-${part.tone}`} x={at - width} y="0" width={width} height="4" />;
      })}
    </svg>
  );
}

/** Text from a model or server: always text, never markup. */
export function Foreign(props: { text: string; class?: string; whole?: boolean }) {
  return <bdi class={props.class}>{visible(props.text)}</bdi>;
}

export function Simulated() {
  return <Badge title={t("simulated.title")}>{t("simulated")}</Badge>;
}

export function Success(props: { succeeded: number; scored: number }) {
  return props.scored > 0 ? <>{share(props.succeeded / props.scored)}</> : <span class="muted">–</span>;
}

export function Paging(props: { total: number; offset: number; limit: number; go: (offset: number) => void }) {
  const { total, offset, limit } = props;
  const last = Math.min(offset + limit, total);
  return (
    <nav class="paging" aria-label={t("paging")}>
      <button type="button" disabled={offset === 0} onClick={() => props.go(Math.max(0, offset - limit))}>
        ← {t("paging.previous")}
      </button>
      <span role="status">
        {total === 0 ? t("paging.none") : t("paging.of", { from: offset + 1, to: last, total })}
      </span>
      <button type="button" disabled={last >= total} onClick={() => props.go(offset + limit)}>
        {t("paging.next")} →
      </button>
    </nav>
  );
}

/** A dialog of the browser's own: it keeps the focus and closes with Escape. */
export function Dialog(props: { title: string; close: () => void; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog ref={dialog} onClose={props.close} aria-labelledby="dialog-title">
      <header class="panel-head">
        <h2 id="dialog-title">{props.title}</h2>
        <button type="button" class="quiet" onClick={() => dialog.current?.close()} aria-label={t("close")}>
          ✕
        </button>
      </header>
      {props.children}
    </dialog>
  );
}
