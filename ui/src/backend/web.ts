/**
 * A browser: the device is served by `towline up`. The link that opens it holds a token behind `#`,
 * which is good once; for it, or for a password, the device gives a session, which this tab keeps and shows
 * with every request as a header. No cookies, so no other page can borrow it. Views arrive as lines of
 * one long answer; when that breaks it is asked for again, until the device answers or is locked.
 */
import { assertExact, asLine, asViewError } from "./door";
import type { AnswerView } from "./generated/AnswerView";
import type { CommandView } from "./generated/CommandView";
import type { ViewError } from "./generated/ViewError";
import {
  assertNever, type Abilities, type Backend, type Choice, type Outcome, type ServerHere, type Told,
} from "./index";

/** Under which name the session is kept, for as long as the tab lives. */
const KEY = "session";

/** Silence after which the device is taken for lost: three of its signs of life, 15 s apart. */
const SILENCE_MS = 45_000;

/** Pauses between tries to reach it again: soon at first, then every 8 s. */
const PAUSES_MS = [500, 1000, 2000, 4000, 8000];

/** What a tab needs of its browser. */
export interface Surroundings {
  fetch: typeof fetch;
  storage: () => Pick<Storage, "getItem" | "setItem" | "removeItem">;
  /** The token of the link in the address, which is taken out of it. */
  takeToken: () => string | null;
  /** Hears that a link was put into the address of this tab, until the returned call. */
  onLink: (hear: () => void) => () => void;
}

/** This tab. */
export const TAB: Surroundings = {
  fetch: (...asked) => fetch(...asked),
  storage: () => sessionStorage,
  takeToken() {
    const token = new URLSearchParams(location.hash.slice(1)).get("token");
    // Neither the history nor a copied address shall hold it.
    if (token !== null) history.replaceState(null, "", location.pathname);
    return token;
  },
  onLink(hear) {
    addEventListener("hashchange", hear);
    return () => removeEventListener("hashchange", hear);
  },
};

/** How following ended. */
type End = "lost" | "locked";

/** A device that a browser reaches over HTTP. */
export class WebBackend implements Backend {
  readonly abilities: Abilities = { chooseDirectory: false, openFolder: false, help: false };
  readonly desktop = null;
  readonly #tab: Surroundings;
  #session: string | null;
  /** Why the last link was refused, if it was. */
  #error: ViewError | null = null;
  #wake: () => void = () => undefined;

  constructor(tab: Surroundings = TAB) {
    this.#tab = tab;
    this.#session = this.#kept((storage) => storage.getItem(KEY)) ?? null;
  }

  watch(tell: (told: Told) => void): () => void {
    const end = new AbortController();
    const ignore = this.#tab.onLink(() => void this.#enter().then(() => this.#wake()));
    void this.#live((told) => {
      if (!end.signal.aborted) tell(told);
    }, end.signal);
    return () => {
      ignore();
      end.abort();
      this.#wake();
    };
  }

  async command(command: CommandView): Promise<Outcome> {
    const answer = await this.#ask("/api/command", command);
    if (answer.kind === "unreachable") return refused("unreachable");
    if (answer.status === 401) this.#forget();
    if (!answer.isOk) return { kind: "refused", error: asViewError(answer.body) };
    assertExact(answer.body);
    return { kind: "accepted", answer: answer.body as AnswerView };
  }

  links(): () => void {
    return () => undefined;
  }

  start(): Promise<void> {
    this.#wake();
    return Promise.resolve();
  }

  async unlock(password: string): Promise<Outcome> {
    const outcome = await this.#open({ password });
    if (outcome.kind === "accepted") this.#wake();
    return outcome;
  }

  serverHere(tell: (server: ServerHere) => void): () => void {
    tell({ kind: "elsewhere" });
    return () => undefined;
  }

  runServer(): Promise<Outcome> {
    return Promise.resolve(refused("unsupported"));
  }

  pickDirectory(): Promise<Choice> {
    return Promise.resolve({ kind: "nothing" });
  }

  openFolder(): Promise<Outcome> {
    return Promise.resolve(refused("unsupported"));
  }

  openLog(): Promise<Outcome> {
    return Promise.resolve(refused("unsupported"));
  }

  saveDiagnostics(): Promise<Choice> {
    return Promise.resolve({ kind: "nothing" });
  }

  /** Uses the link in the address, if there is one. */
  async #enter(): Promise<void> {
    const token = this.#tab.takeToken();
    if (token === null) return;
    const outcome = await this.#open({ token });
    this.#error = outcome.kind === "refused" ? outcome.error : null;
  }

  /** Follows the device, for as long as the tab is there. */
  async #live(tell: (told: Told) => void, end: AbortSignal): Promise<void> {
    let tries = 0;
    await this.#enter();
    while (!end.aborted) {
      const how = this.#session === null ? "locked" : await this.#follow((told) => {
        tries = 0;
        tell(told);
      }, end);
      if (how === "locked") {
        const wants = await this.#wanted();
        if (wants !== null) {
          tell({ kind: "locked", wants, error: this.#error });
          await this.#woken();
          continue;
        }
      }
      tell({ kind: "lost" });
      const pause = PAUSES_MS[Math.min(tries, PAUSES_MS.length - 1)] ?? 0;
      tries += 1;
      await Promise.race([this.#woken(), new Promise((next) => setTimeout(next, pause))]);
    }
  }

  /** Tells what comes until nothing does. */
  async #follow(tell: (told: Told) => void, end: AbortSignal): Promise<End> {
    const silence = new AbortController();
    const signal = AbortSignal.any([end, silence.signal]);
    let timer = setTimeout(() => silence.abort(), SILENCE_MS);
    try {
      const answer = await this.#tab.fetch("/api/events", { ...this.#usual(), signal });
      if (answer.status === 401) {
        this.#forget();
        return "locked";
      }
      if (!answer.ok || answer.body === null) return "lost";
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return "lost";
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE_MS);
        const lines = (rest + value).split("\n");
        rest = lines.pop() ?? "";
        // Only the latest is worth showing.
        const last = lines.findLast((line) => line !== "");
        if (last === undefined) continue;
        const told = asLine(last);
        switch (told.kind) {
          case "view":
            tell(told);
            break;
          case "ended":
            return "lost";
          default:
            assertNever(told);
        }
      }
    } catch {
      return "lost";
    } finally {
      clearTimeout(timer);
    }
  }

  /** What opens the device; `null` when it does not answer. */
  async #wanted(): Promise<"link" | "password" | null> {
    try {
      const answer = await this.#tab.fetch("/api/door", this.#usual());
      const { password } = (await answer.json()) as { password: boolean };
      return password ? "password" : "link";
    } catch {
      return null;
    }
  }

  /** Exchanges a token or a password for a session. */
  async #open(shown: { token: string } | { password: string }): Promise<Outcome> {
    const answer = await this.#ask("/api/session", shown);
    if (answer.kind === "unreachable") return refused("unreachable");
    if (!answer.isOk) return { kind: "refused", error: asViewError(answer.body) };
    const { session } = answer.body as { session: string };
    this.#session = session;
    this.#kept((storage) => storage.setItem(KEY, session));
    return { kind: "accepted", answer: { answer: "accepted" } };
  }

  #forget(): void {
    this.#session = null;
    this.#kept((storage) => storage.removeItem(KEY));
  }

  async #ask(path: string, body: unknown): Promise<Answer> {
    try {
      const usual = this.#usual();
      const answer = await this.#tab.fetch(path, {
        ...usual,
        method: "POST",
        headers: { ...usual.headers, "Content-Type": "application/json" },
        body: JSON.stringify(body),
      });
      const said: unknown = await answer.json();
      return { kind: "answered", status: answer.status, isOk: answer.ok, body: said };
    } catch {
      return { kind: "unreachable" };
    }
  }

  /** What every request has. */
  #usual(): RequestInit & { headers: Record<string, string> } {
    const headers: Record<string, string> = {};
    if (this.#session !== null) headers["Authorization"] = `Bearer ${this.#session}`;
    return { headers, cache: "no-store", credentials: "omit", redirect: "error" };
  }

  #woken(): Promise<void> {
    return new Promise((wake) => {
      this.#wake = wake;
    });
  }

  /** Uses the tab's storage where there is one; without it a session ends with the page. */
  #kept<T>(act: (storage: ReturnType<Surroundings["storage"]>) => T): T | undefined {
    try {
      return act(this.#tab.storage());
    } catch {
      return undefined;
    }
  }
}

/** What came of a request. */
type Answer =
  | { kind: "answered"; status: number; isOk: boolean; body: unknown }
  | { kind: "unreachable" };

function refused(code: string): Outcome {
  return { kind: "refused", error: { code, detail: null } };
}
