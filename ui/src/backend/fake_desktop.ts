/**
 * An app around the window without a desktop. `?tray=none` is one without a tray, `asks` one whose window was
 * closed for the first time, anything else one where that is decided. `?drop=` is what somebody drags
 * onto the window and drops there, or holds there when it is empty. The system does not say whether it starts the app in
 * the scene `trouble`, and does not let it be changed in `locked`.
 */
import type { AtLogin, Closing, ClosingTold, Desktop, Drag, Outcome, Sign } from "./index";
import { refused } from "./fake_folder";

const ACCEPTED: Outcome = { kind: "accepted", answer: { answer: "accepted" } };

export class FakeDesktop implements Desktop {
  #told: ClosingTold;
  #tell: (told: ClosingTold) => void = () => undefined;
  readonly #end: () => void;
  readonly #scene: string | null;
  readonly #drop: string | null;
  readonly #stepMs: number;
  #isStarted = false;

  constructor(wishes: URLSearchParams, stepMs: number, end: () => void) {
    const tray = wishes.get("tray");
    this.#scene = wishes.get("scene");
    this.#drop = wishes.get("drop");
    this.#stepMs = stepMs;
    this.#told = { tray: tray !== "none", closing: "stay", asks: tray === "asks" };
    this.#end = end;
  }

  sign(sign: Sign): Promise<void> {
    // A browser's tab says as much as a tray.
    document.title = `${sign.title}: ${sign.state}`;
    return Promise.resolve();
  }

  closing(tell: (told: ClosingTold) => void): () => void {
    this.#tell = tell;
    tell(this.#told);
    return () => {
      this.#tell = () => undefined;
    };
  }

  chooseClosing(closing: Closing): Promise<Outcome> {
    this.#told = { ...this.#told, closing, asks: false };
    this.#tell(this.#told);
    return Promise.resolve(ACCEPTED);
  }

  drags(tell: (drag: Drag) => void): () => void {
    const path = this.#drop;
    if (path !== null) setTimeout(() => tell({ kind: "over" }), 2 * this.#stepMs);
    if (path) setTimeout(() => tell(dropped(path)), 4 * this.#stepMs);
    return () => undefined;
  }

  notify(): Promise<void> {
    return Promise.resolve();
  }

  notices(): () => void {
    return () => undefined;
  }

  atLogin(): Promise<AtLogin> {
    if (this.#scene === "trouble") {
      return Promise.resolve({ kind: "refused", error: { code: "at_login_unknown", detail: null } });
    }
    return Promise.resolve({ kind: "known", isStarted: this.#isStarted });
  }

  setAtLogin(isStarted: boolean): Promise<Outcome> {
    if (this.#scene === "locked") return Promise.resolve(refused("at_login"));
    this.#isStarted = isStarted;
    return Promise.resolve(ACCEPTED);
  }

  quit(): Promise<void> {
    this.#end();
    return Promise.resolve();
  }
}

/** What is dropped is a folder unless its name has an ending. */
function dropped(path: string): Drag {
  const isFile = /\.[a-z]+$/.test(path);
  return isFile ? { kind: "refused", error: { code: "dropped_file", detail: null } } : { kind: "chosen", path };
}
