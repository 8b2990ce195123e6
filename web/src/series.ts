import type { Timeline } from "./api";
import type { Sample } from "./live";

// Requests per second over time, from the ledger's buckets and from what the page saw live.

export interface Series {
  at: number[];
  answered: number[];
  throttled: number[];
  failed: number[];
}

const kNames = ["answered", "throttled", "failed"] as const;

export function fromTimeline(timeline: Timeline, wanted: (route: string) => boolean): Series {
  const routes = timeline.routes.filter((route) => wanted(route.route));
  const length = Math.max(0, ...timeline.routes.map((route) => route.answered.length));
  const start = timeline.start ? Date.parse(timeline.start) / 1000 : 0;
  const at = Array.from({ length }, (_, i) => start + i * timeline.bucket_seconds);
  const rate = (name: (typeof kNames)[number]) =>
    at.map((_, i) => routes.reduce((sum, route) => sum + (route[name][i] ?? 0), 0) / timeline.bucket_seconds);
  return { at, answered: rate("answered"), throttled: rate("throttled"), failed: rate("failed") };
}

export function fromSamples(samples: Sample[], wanted: (route: string) => boolean): Series {
  const series: Series = { at: [], answered: [], throttled: [], failed: [] };
  for (let i = 1; i < samples.length; ++i) {
    const before = samples[i - 1]!;
    const now = samples[i]!;
    const seconds = now.at - before.at;
    if (seconds <= 0) continue;
    series.at.push(now.at);
    for (const name of kNames) {
      let count = 0;
      for (const [route, value] of now[name]) if (wanted(route)) count += value - (before[name].get(route) ?? 0);
      series[name].push(count / seconds);
    }
  }
  return series;
}

/** The ledger's history up to where the page began to see the run itself. */
export function joined(past: Series | null, live: Series): Series {
  if (!past) return live;
  const first = live.at[0] ?? Infinity;
  const kept = past.at.filter((at) => at < first).length;
  const join = (name: keyof Series) => [...past[name].slice(0, kept), ...live[name]];
  return { at: join("at"), answered: join("answered"), throttled: join("throttled"), failed: join("failed") };
}
