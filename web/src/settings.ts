import { useEffect, useState } from "preact/hooks";
import en from "./strings.en.json";
import zh from "./strings.zh.json";

// What a person prefers, kept in the browser: language, light or dark, keys.

export type Key = keyof typeof en;
export type Language = "en" | "zh";
export type Theme = "auto" | "light" | "dark";

const kChanged = "sortie:settings";

function stored<T extends string>(name: string, allowed: readonly T[], otherwise: T): T {
  const value = localStorage.getItem(`sortie.${name}`);
  return allowed.find((one) => one === value) ?? otherwise;
}

export function language(): Language {
  return stored("language", ["en", "zh"], navigator.language.startsWith("zh") ? "zh" : "en");
}

export function theme(): Theme {
  return stored("theme", ["auto", "light", "dark"], "auto");
}

export function keysOn(): boolean {
  return stored("keys", ["on", "off"], "on") === "on";
}

export function set(name: "language" | "theme" | "keys", value: string): void {
  localStorage.setItem(`sortie.${name}`, value);
  apply();
  window.dispatchEvent(new Event(kChanged));
}

export function apply(): void {
  document.documentElement.lang = language() === "zh" ? "zh-CN" : "en";
  document.documentElement.dataset["theme"] = theme();
}

/** Draws anew when a setting changes, also that of the system. */
export function useSettings(): number {
  const [version, setVersion] = useState(0);
  useEffect(() => {
    const update = () => setVersion((old) => old + 1);
    const dark = window.matchMedia("(prefers-color-scheme: dark)");
    window.addEventListener(kChanged, update);
    dark.addEventListener("change", update);
    return () => {
      window.removeEventListener(kChanged, update);
      dark.removeEventListener("change", update);
    };
  }, []);
  return version;
}

/** A text in the chosen language, with {name} filled in. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  const text = (language() === "zh" ? zh : en)[key];
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}

/** A name of the ledger's vocabulary in words, where there are some; else the name itself. */
export function word(name: string): string {
  const key = `word.${name}`;
  return key in en ? t(key as Key) : name;
}
