import { language, t } from "./settings";

const locale = () => (language() === "zh" ? "zh-CN" : "en-GB");

export function whole(value: number): string {
  return new Intl.NumberFormat(locale(), { maximumFractionDigits: 0 }).format(value);
}

/** Short: 950, 12.3 k, 4.1 M. */
export function short(value: number): string {
  for (const [unit, size] of [
    ["G", 1e9],
    ["M", 1e6],
    ["k", 1e3],
  ] as const) {
    if (Math.abs(value) >= size * 10) return `${whole(value / size)} ${unit}`;
    if (Math.abs(value) >= size && size > 1e3) return `${(value / size).toFixed(1)} ${unit}`;
  }
  return Math.abs(value) >= 100 || Number.isInteger(value) ? whole(value) : value.toFixed(1);
}

export function percent(part: number, of: number): string {
  return of > 0 ? share(part / of) : "–";
}

/** Never 100 % or 0 % of what is not all or nothing. */
export function share(value: number): string {
  const rounded = Math.round(value * 100);
  if (rounded === 100 && value < 1) return "99 %";
  if (rounded === 0 && value > 0) return "<1 %";
  return `${rounded} %`;
}

export function dollars(micro: number): string {
  const value = micro / 1e6;
  if (micro > 0 && value < 0.0001) return "<$0.0001";
  return `$${value >= 100 ? whole(value) : value >= 1 || value === 0 ? value.toFixed(2) : value.toFixed(4)}`;
}

export function duration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(Math.floor(seconds % 60)).padStart(2, "0")} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function time(iso: string | null): string {
  if (!iso) return "–";
  return new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "medium" }).format(new Date(iso));
}

/** Of a point in a chart, in seconds since 1970. */
export function moment(seconds: number, withSeconds: boolean): string {
  return new Intl.DateTimeFormat(locale(), {
    hour: "2-digit",
    minute: "2-digit",
    ...(withSeconds ? { second: "2-digit" } : {}),
  }).format(new Date(seconds * 1000));
}

export function clock(iso: string): string {
  return new Intl.DateTimeFormat(locale(), { timeStyle: "medium" }).format(new Date(iso));
}

export function bytes(count: number): string {
  return count >= 1e6 ? `${(count / 1e6).toFixed(1)} MB` : `${Math.ceil(count / 1000)} KB`;
}

export function per(seconds: number | null): string {
  if (seconds === null) return t("limit.at_once");
  const named: Record<number, string> = { 1: "s", 60: "min", 3600: "h", 86400: "d" };
  return `/ ${named[seconds] ?? duration(seconds)}`;
}

// Controls of terminals and of bidirectional text, line separators and lone halves of surrogate pairs.
const kSteering =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** Text of a model or server with every character written out that could steer what is shown. */
export function visible(text: string): string {
  return text.replace(kSteering, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
