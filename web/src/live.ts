import { useEffect, useRef, useState } from "preact/hooks";
import { runPath, type Json, type Status } from "./api";

/** Merges what the server says has changed (src/monitor/web_live.h) without touching the old state. */
export function merged(state: Json, patch: Json): Json {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  if (Array.isArray(state)) {
    const copy = state.slice();
    for (const [place, part] of Object.entries(patch)) copy[+place] = merged(copy[+place] ?? null, part);
    return copy;
  }
  if (state === null || typeof state !== "object") return patch;
  const copy = { ...state };
  for (const [name, part] of Object.entries(patch)) copy[name] = merged(copy[name] ?? null, part);
  return copy;
}

export type Connection = "asking" | "live" | "lost" | "none";

export interface Live {
  connection: Connection;
  status: Status | null;
}

/** Follows a run that goes on. "none": it does not; "lost": it did, and does not answer now. */
export function useLive(run: string): Live {
  const [live, setLive] = useState<Live>({ connection: "asking", status: null });
  const latest = useRef<Json>(null);
  useEffect(() => {
    latest.current = null;
    setLive({ connection: "asking", status: null });
    const source = new EventSource(`${runPath(run)}/events`);
    const show = (state: Json) => {
      latest.current = state;
      setLive({ connection: "live", status: state as unknown as Status });
    };
    source.addEventListener("state", (event) => show(JSON.parse(event.data) as Json));
    source.addEventListener("patch", (event) => {
      if (latest.current !== null) show(merged(latest.current, JSON.parse(event.data) as Json));
    });
    source.addEventListener("end", () => {
      source.close();
      setLive((old) => ({ connection: "none", status: old.status }));
    });
    source.onerror = () => {
      // A closed source was told that there is nothing; an open one asks again by itself.
      const connection = source.readyState === EventSource.CLOSED ? "none" : "lost";
      setLive((old) => ({ connection: old.status && connection === "none" ? "lost" : connection, status: old.status }));
    };
    return () => source.close();
  }, [run]);
  return live;
}

export interface Sample {
  at: number; // seconds since 1970
  answered: Map<string, number>; // by route, since the run's start
  throttled: Map<string, number>;
  failed: Map<string, number>;
}

const kSamplesMax = 900;

/** The counters of the last states that this page saw, oldest first. */
export function useSamples(status: Status | null): Sample[] {
  const samples = useRef<Sample[]>([]);
  const seen = useRef<Status | null>(null);
  if (status && status !== seen.current) {
    seen.current = status;
    const counter = (name: "answered" | "throttled" | "failed") =>
      new Map(status.routes.map((route) => [route.route, route[name]]));
    samples.current = [
      ...samples.current.slice(-kSamplesMax),
      {
        at: Date.parse(status.at) / 1000,
        answered: counter("answered"),
        throttled: counter("throttled"),
        failed: counter("failed"),
      },
    ];
  }
  return samples.current;
}
