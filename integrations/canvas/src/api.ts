// The client of the public API: a token in memory, problems as errors, and a new token where one has expired.

import type { Activation, Catalog, Json, JsonObject, Run, SavedSegment, Segment, Token, Validation } from "./types";

const BASE = "/api/v1";
const SCOPES = ["segments:read", "segments:write", "runs:read", "runs:write"];
const TOKEN_SECONDS = 900;
const MOST_PAGES = 40;

interface ProblemDetails {
  status: number;
  code: string;
  detail: string;
  errors?: { pointer: string; detail: string; hint?: string | null }[];
}

/** A refusal of the API, or of the way to it; the message is the sentence for people. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;

  constructor(details: ProblemDetails) {
    const more = (details.errors ?? []).map((one) => one.detail).filter((text) => text && !details.detail.includes(text));
    super([details.detail, ...more.slice(0, 3)].join(" "));
    this.status = details.status;
    this.code = details.code;
  }
}

export interface Session {
  tenant: string;
  expiresAt: string;
}

/** Asks a person for a key or a token, with the reason, until `signIn` has taken one. */
export type AskForToken = (reason: string) => Promise<void>;

export class Api {
  private token = "";
  private key = "";
  private asking: Promise<void> | null = null;
  /** Set by the page before its first call. */
  ask: AskForToken = () => Promise.reject(new Error("nobody can be asked for a token"));

  /** Take an API key or a browser token. A key makes a token; it is kept, in memory only, where it may renew the token. */
  async signIn(secret: string, keepKey: boolean): Promise<Session> {
    let token = secret;
    if (!secret.startsWith("llmb_")) {
      token = (await this.makeToken(secret)).token;
    }
    const me = await this.send<{ tenant: { name: string }; token_expires_at: string }>("GET", "/me", { token });
    this.token = token;
    this.key = keepKey && token !== secret ? secret : "";
    return { tenant: me.tenant.name, expiresAt: me.token_expires_at };
  }

  catalog(): Promise<Catalog> {
    return this.call("GET", "/catalog");
  }

  validate(segment: unknown, signal?: AbortSignal): Promise<Validation> {
    return this.call("POST", "/segments/validate", { body: segment, signal });
  }

  async segments(): Promise<SavedSegment[]> {
    const found: SavedSegment[] = [];
    let query = "?limit=250";
    for (let page = 0; page < MOST_PAGES; page++) {
      const answer = await this.call<{ data: SavedSegment[]; next_cursor: string | null }>("GET", `/segments${query}`);
      found.push(...answer.data);
      if (!answer.next_cursor) break;
      query = `?limit=250&cursor=${encodeURIComponent(answer.next_cursor)}`;
    }
    return found;
  }

  /** A saved segment with its entity tag, by which a later save notices what others have saved meanwhile. */
  async segment(id: string): Promise<{ saved: SavedSegment; etag: string }> {
    const { body, etag } = await this.answer<SavedSegment>("GET", `/segments/${encodeURIComponent(id)}`);
    return { saved: body, etag };
  }

  /** Save a revision: over the one with this tag; without a tag only where there is none; with "*" over any. */
  async save(segment: Segment, etag: string): Promise<{ saved: SavedSegment; etag: string }> {
    const headers: Record<string, string> =
      etag === "*" ? {} : etag ? { "If-Match": etag } : { "If-None-Match": "*" };
    const path = `/segments/${encodeURIComponent(segment.segment_id)}`;
    const { body, etag: tag } = await this.answer<SavedSegment>("PUT", path, { body: segment, headers });
    return { saved: body, etag: tag };
  }

  start(segmentId: string, input: Json): Promise<Run> {
    const headers = { "Idempotency-Key": crypto.getRandomValues(new Uint32Array(4)).join("-") };
    return this.call("POST", `/segments/${encodeURIComponent(segmentId)}/runs`, { body: { input }, headers });
  }

  run(runId: string): Promise<Run> {
    return this.call("GET", `/runs/${runId}`);
  }

  command(runId: string, name: "cancel" | "pause" | "resume"): Promise<Run> {
    return this.call("POST", `/runs/${runId}/${name}`, { body: {} });
  }

  async activations(runId: string): Promise<Activation[]> {
    const found: Activation[] = [];
    let query = "?limit=250";
    for (let page = 0; page < MOST_PAGES; page++) {
      const answer = await this.call<{ data: Activation[]; next_cursor: string | null }>("GET", `/runs/${runId}/steps${query}`);
      found.push(...answer.data);
      if (!answer.next_cursor) break;
      query = `?limit=250&cursor=${encodeURIComponent(answer.next_cursor)}`;
    }
    return found;
  }

  /** A value that an answer has left out because it is large; its address comes from that answer. */
  largeValue(address: string): Promise<Json> {
    const url = new URL(address, location.origin);
    if (url.origin !== location.origin || !url.pathname.startsWith(`${BASE}/`)) {
      return Promise.reject(new Error("The value is not at this platform."));
    }
    return this.call("GET", url.pathname.slice(BASE.length) + url.search);
  }

  async socket(runId: string, after: string): Promise<WebSocket> {
    const { ticket } = await this.call<{ ticket: string }>("POST", "/ws-tickets", { body: {} });
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const query = new URLSearchParams({ after, ticket });
    return new WebSocket(`${scheme}://${location.host}/ws/v1/runs/${runId}/?${query}`);
  }

  private async makeToken(key: string): Promise<Token> {
    const me = await this.send<{ scopes: string[] }>("GET", "/me", { token: key });
    const scopes = SCOPES.filter((scope) => me.scopes.includes(scope));
    return this.send<Token>("POST", "/tokens", { token: key, body: { scopes, expires_in: TOKEN_SECONDS } });
  }

  private async call<Answer>(method: string, path: string, options: Options = {}): Promise<Answer> {
    return (await this.answer<Answer>(method, path, options)).body;
  }

  /** Send with the present token; where it is not valid any more, get another and send once more. */
  private async answer<Answer>(method: string, path: string, options: Options = {}): Promise<Answered<Answer>> {
    const token = this.token;
    try {
      return await this.exchange<Answer>(method, path, { ...options, token });
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 401) throw error;
      await this.renew(token, error.message);
      return this.exchange<Answer>(method, path, { ...options, token: this.token });
    }
  }

  private async renew(spent: string, reason: string): Promise<void> {
    if (this.token !== spent) return;
    this.asking ??= this.another(reason).finally(() => {
      this.asking = null;
    });
    await this.asking;
  }

  private async another(reason: string): Promise<void> {
    if (this.key) {
      try {
        await this.signIn(this.key, true);
        return;
      } catch (error) {
        if (!(error instanceof Problem) || error.status !== 401) throw error;
        this.key = "";
      }
    }
    await this.ask(reason);
  }

  private async send<Answer>(method: string, path: string, options: Options): Promise<Answer> {
    return (await this.exchange<Answer>(method, path, options)).body;
  }

  private async exchange<Answer>(method: string, path: string, options: Options): Promise<Answered<Answer>> {
    const headers: Record<string, string> = { Accept: "application/json", ...options.headers };
    if (options.token) headers.Authorization = `Bearer ${options.token}`;
    if (options.body !== undefined) headers["Content-Type"] = "application/json";
    const body = options.body === undefined ? undefined : JSON.stringify(options.body);
    let response: Response;
    try {
      response = await fetch(BASE + path, { method, headers, body, signal: options.signal, credentials: "omit" });
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      throw new Problem({ status: 0, code: "OFFLINE", detail: "The platform cannot be reached. Nothing is lost; try again." });
    }
    const text = await response.text();
    const answer = readJson(text);
    if (!response.ok) throw new Problem(problemOf(response, answer));
    return { body: answer as Answer, etag: response.headers.get("ETag") ?? "" };
  }
}

interface Options {
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  token?: string;
}

interface Answered<Answer> {
  body: Answer;
  etag: string;
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function problemOf(response: Response, answer: unknown): ProblemDetails {
  const found = (answer ?? {}) as Partial<ProblemDetails> & JsonObject;
  return {
    status: response.status,
    code: found.code ?? "",
    detail: found.detail ?? `The platform answered with the status ${response.status}.`,
    errors: found.errors,
  };
}

/** The sentence that a person reads of anything that went wrong. */
export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
