import { useEffect, useState } from "preact/hooks";

// The address is the state of the page: what is shown can be linked to, and a reload keeps it.

export interface Place {
  run: string | null;
  page: string; // "overview", "lanes", "matrix", "trials", "compare", "report"
  trial: number | null; // of page "trials"
  query: URLSearchParams;
}

export function placeOf(path: string, search: string): Place {
  const parts = path.split("/").filter(Boolean).map(decodeURIComponent);
  const trial = parts[2] === "trials" && parts[3] ? Number(parts[3]) : null;
  return {
    run: parts[0] === "runs" && parts[1] ? parts[1] : null,
    page: parts[2] ?? "overview",
    trial: trial !== null && Number.isInteger(trial) ? trial : null,
    query: new URLSearchParams(search),
  };
}

export function address(run: string, page = "overview", query: Record<string, string | number | null> = {}): string {
  const kept = Object.entries(query).filter(([, value]) => value !== null && value !== "");
  const search = new URLSearchParams(kept.map(([name, value]) => [name, String(value)])).toString();
  const path = `/runs/${encodeURIComponent(run)}${page === "overview" ? "" : `/${page}`}`;
  return search ? `${path}?${search}` : path;
}

const kMoved = "sortie:moved";

export function go(to: string, options: { replace?: boolean } = {}): void {
  if (options.replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  window.dispatchEvent(new Event(kMoved));
}

/** The current address with some parameters changed; null removes one. Paging begins anew. */
export function withQuery(changes: Record<string, string | number | null>): string {
  const query = new URLSearchParams(location.search);
  if (!("offset" in changes)) query.delete("offset");
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") query.delete(name);
    else query.set(name, String(value));
  }
  const search = query.toString();
  return location.pathname + (search ? `?${search}` : "");
}

export function usePlace(): Place {
  const [place, setPlace] = useState(() => placeOf(location.pathname, location.search));
  useEffect(() => {
    const update = () => setPlace(placeOf(location.pathname, location.search));
    window.addEventListener("popstate", update);
    window.addEventListener(kMoved, update);
    return () => {
      window.removeEventListener("popstate", update);
      window.removeEventListener(kMoved, update);
    };
  }, []);
  return place;
}

/** Links of this page are followed without loading it anew. */
export function followLinks(event: MouseEvent): void {
  const link = (event.target as Element | null)?.closest?.("a");
  const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  const href = link?.getAttribute("href");
  if (!plain || !href?.startsWith("/") || link?.hasAttribute("download") || link?.target) return;
  event.preventDefault();
  go(href);
  window.scrollTo(0, 0);
}
