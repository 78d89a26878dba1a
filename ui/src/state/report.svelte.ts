/**
 * The report on all connections: asked for while it is shown to somebody, every two seconds and soon
 * after a change, and never otherwise. One question at a time; an answer that comes after the screen
 * was left is dropped.
 */
import type { Outcome } from "../backend";
import type { NetworkView } from "../backend/generated/NetworkView";
import type { PeerView } from "../backend/generated/PeerView";
import type { ViewError } from "../backend/generated/ViewError";

/** What of a document tells whether somebody can see it. */
export type Page = Pick<Document, "visibilityState" | "addEventListener" | "removeEventListener">;

/** How often it is asked for: every 2 s, as often as the engine keeps a measurement. */
export const EVERY_MS = 2000;

/** After a change it is asked for within 300 ms: at once to the eye, and once where links change in a row. */
export const SOON_MS = 300;

/** The latest report, and what became of asking for it. */
export class Report {
  network = $state.raw<NetworkView | null>(null);
  error = $state.raw<ViewError | null>(null);
  /** When the latest report came. */
  atMs = $state.raw(0);
  readonly #ask: () => Promise<Outcome>;
  #standing: "resting" | "waiting" | "asking" = "resting";
  #isWantedSoon = false;
  #question = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ask: () => Promise<Outcome>) {
    this.#ask = ask;
  }

  /** Asks while a page can be seen, until the returned call. */
  follow(page: Page): () => void {
    const look = () => {
      this.#rest();
      if (page.visibilityState === "visible") void this.#look();
    };
    page.addEventListener("visibilitychange", look);
    look();
    return () => {
      page.removeEventListener("visibilitychange", look);
      this.#rest();
    };
  }

  /** Something has changed that it tells of. */
  soon(): void {
    if (this.#isWantedSoon) return;
    switch (this.#standing) {
      case "resting":
        return;
      case "waiting":
        this.#wait(SOON_MS);
        break;
      case "asking":
        break;
    }
    this.#isWantedSoon = true;
  }

  async #look(): Promise<void> {
    this.#standing = "asking";
    this.#isWantedSoon = false;
    const question = (this.#question += 1);
    const outcome = await this.#ask();
    if (question !== this.#question) return;
    this.#take(outcome);
    this.#wait(this.#isWantedSoon ? SOON_MS : EVERY_MS);
  }

  #take(outcome: Outcome): void {
    if (outcome.kind === "accepted" && outcome.answer.answer === "network") {
      this.network = outcome.answer;
      this.atMs = Date.now();
      this.error = null;
    } else {
      this.error = outcome.kind === "refused" ? outcome.error : { code: "unsupported", detail: null };
    }
  }

  #wait(ms: number): void {
    clearTimeout(this.#timer);
    this.#standing = "waiting";
    this.#timer = setTimeout(() => void this.#look(), ms);
  }

  #rest(): void {
    clearTimeout(this.#timer);
    this.#question += 1;
    this.#standing = "resting";
    this.#isWantedSoon = false;
  }
}

/** What of peers' links the report explains; speeds and times change all the time and are none of it. */
export function linksMark(peers: readonly PeerView[]): string {
  return peers
    .map(({ id, link }) => {
      const path = link.state === "up" ? link.path.kind : "";
      const fault = link.state === "waiting" ? link.fault : "";
      return [id, link.state, path, fault].join();
    })
    .join("\n");
}
