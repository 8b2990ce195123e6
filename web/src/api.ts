// What the server answers (docs/guide/watching.md), and how it is asked.

export interface RunLine {
  run: string;
  live: boolean;
  planned?: number;
  scored?: number;
  created?: string;
  last_event?: string;
  simulated?: boolean;
  error?: string;
}

export interface Counts {
  planned: number;
  scored: number;
  succeeded: number;
  lost: number;
  open: number;
  repaired: number;
  progress: number | null;
  cost_micro_usd: number;
  tokens: number;
}

export interface ModelLine extends Counts {
  model: string;
  simulated: boolean;
}

export interface RouteLine {
  route: string;
  model: string;
  attempts: number;
  answered: number;
  throttled: number;
  failed: number;
  unfinished: number;
  tokens: number;
  cost_micro_usd: number;
  empty_answers: number;
  suspect: boolean;
  latency_seconds: number | null;
  latency_p50_seconds: number | null;
  latency_p95_seconds: number | null;
}

/** Trials that were copied from one state of another run. */
export interface Reused {
  run: string;
  directory: string;
  trials: number;
  attempts: number;
  cost_micro_usd: number;
}

export interface RunEvent {
  at: string | null;
  kind: string;
  subject: string;
  detail: Record<string, unknown> | null;
}

export interface Speed {
  ended: string;
  speed: {
    seconds?: number;
    bound_seconds?: number | null;
    fraction?: number | null;
    domain?: string;
    limit?: string;
    lost_seconds?: Record<string, number>;
  };
}

export interface Overview extends Counts {
  run: string;
  first_attempt: string | null;
  last_end: string | null;
  models: ModelLine[];
  routes: RouteLine[];
  outcomes: Record<string, number>;
  labels: Record<string, number>;
  speeds: Speed[];
  events: RunEvent[];
  manifest: Record<string, string>;
  reused: Reused[];
}

export interface Cell extends Counts {
  cell: string;
  model: string;
  simulated: boolean;
  scenarios: string;
  prompt: string;
  severity: string;
  difficulty: string;
  protocol: string;
  tool_success_rate: number;
  max_turns: number;
}

export interface Trial {
  trial: number;
  model: string;
  cell: string;
  task: string;
  task_type: string;
  repeat: number;
  prompt: string;
  severity: string;
  difficulty: string;
  protocol: string;
  tool_success_rate: number;
  max_turns: number;
  outcome: string;
  success: boolean | null;
  progress: number | null;
  level: string;
  label: string;
  turns: number;
  repaired: number;
  injected: number;
  attempts: number;
  tokens: number;
  cost_micro_usd: number;
  latency_seconds: number | null;
  begun: string | null;
}

export interface TrialPage {
  total: number;
  offset: number;
  limit: number;
  trials: Trial[];
}

export interface ComparePage {
  total: number;
  offset: number;
  limit: number;
  neither: number;
  only_a: number;
  only_b: number;
  both: number;
  pairs: { a: Trial; b: Trial }[];
}

export interface Timeline {
  start: string | null;
  bucket_seconds: number;
  routes: { route: string; answered: number[]; throttled: number[]; failed: number[] }[];
}

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

export interface Message {
  role: string;
  text: string;
  size?: number;
  tool_calls: { name: string; arguments: string }[];
}

export interface Command {
  kind: string;
  name: string;
  ran: boolean;
  succeeded: boolean;
  call: number | null;
}

export interface Turn {
  turn: number;
  message: number;
  route: string;
  served_model: string;
  finish: string;
  input_tokens: number;
  output_tokens: number;
  reasoning: string;
  repairs: string[];
  unreadable: number;
  understood: boolean;
  injected: boolean;
  empty: boolean;
  truncated: boolean;
  filtered: boolean;
  refused: boolean;
  commands: Command[];
}

export interface Call {
  turn: number;
  tool: string;
  arguments: Json;
  status: "ok" | "rejected" | "injected";
  code: string;
  message: string;
  result: Json;
  artifact: string;
  inputs: string[];
}

export interface Transcript {
  trial: number;
  key: string;
  simulated: boolean;
  max_turns: number;
  end: string;
  score: null | {
    success: boolean;
    clean: boolean;
    progress: number;
    level: string;
    label: string;
    label_turn: number | null;
    order: number | null;
    tool_coverage: number;
    efficiency: number | null;
    calls: number;
    calls_ok: number;
    calls_rejected: number;
    calls_injected: number;
    turns_repaired: number;
    turns_not_understood: number;
    flawed_places: number | null;
    followed_places: number | null;
  };
  messages: Message[];
  turns: Turn[];
  calls: Call[];
  required: { tool: string; values: Json; inputs: number[]; done: boolean; call: number | null }[];
  plan: null | {
    steps: { tool: string; arguments: Json; reason: string }[];
    flaws: {
      flaw: string;
      step: number | null;
      input: number | null;
      right_tool: string;
      right_arguments: Json;
      parameters: string[];
    }[];
  };
  attempts: {
    turn: number;
    number: number;
    route: string;
    at: string;
    cause: string;
    status: number;
    message: string;
    seconds: number;
    input_tokens: number;
    output_tokens: number;
    cost_micro_usd: number;
    billing_known: boolean;
  }[];
  summary: Trial;
}

/** The status of a run that goes on, as its stream of events keeps it. */
export interface Status {
  run: string;
  phase: "running" | "stopping" | "finished";
  paused: boolean;
  draining: boolean;
  at: string;
  elapsed_seconds: number;
  planned: number;
  scored: number;
  lost: number;
  attempts: number;
  turns: number;
  in_flight: number;
  waiting: number;
  unfunded: number;
  input_tokens: number;
  output_tokens: number;
  cost_micro_usd: number;
  budget: {
    max_cost_micro_usd: number | null;
    max_tokens: number | null;
    spent_micro_usd: number;
    reserved_micro_usd: number;
    deadline: string | null;
  };
  models: {
    model: string;
    simulated: boolean;
    planned: number;
    scored: number;
    succeeded: number;
    lost: number;
    running: number;
    turns: number;
    paused: boolean;
  }[];
  routes: {
    route: string;
    model: string;
    usable: boolean;
    reason: string;
    in_flight: number;
    answered: number;
    failed: number;
    throttled: number;
    closed_for_seconds: number | null;
    breaker_open: boolean;
    latency_p50_seconds: number | null;
    latency_p95_seconds: number | null;
  }[];
  limits: {
    domain: string;
    kind: string;
    quota: number;
    window_seconds: number | null;
    learned: boolean;
    confidence: number;
    used: number;
    allowed: number;
    closed_for_seconds: number | null;
  }[];
  changes: { at: string; author: string; reason: string; change: string }[];
  problems: { at: string; text: string }[];
  bound_left_seconds: number | null;
  time_left: { earliest_seconds: number; likely_seconds: number; latest_seconds: number } | null;
  rates: { turns_per_second: number; tokens_per_second: number };
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export function runPath(run: string): string {
  return `/v1/runs/${encodeURIComponent(run)}`;
}

async function checked(response: Response): Promise<Response> {
  if (response.ok) return response;
  let message = `HTTP ${response.status}`;
  try {
    const body = (await response.json()) as { error?: { message?: string } };
    message = body.error?.message ?? message;
  } catch {
    // An answer without a document says nothing more than its status.
  }
  throw new ApiError(response.status, message);
}

export async function ask<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await checked(await fetch(path, signal ? { signal } : {}));
  return (await response.json()) as T;
}

export async function askText(path: string): Promise<string> {
  return (await checked(await fetch(path))).text();
}

export async function post<T>(path: string, body: unknown): Promise<T> {
  const response = await checked(
    await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    }),
  );
  return (await response.json()) as T;
}

/** Exchanges the token of the link for a cookie and takes it out of the address. */
export async function openSession(): Promise<void> {
  const match = /^#token=([A-Za-z0-9-]+)$/.exec(location.hash);
  if (!match) return;
  history.replaceState(null, "", location.pathname + location.search);
  await post("/v1/session", { token: match[1] });
}
