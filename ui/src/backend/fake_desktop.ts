/**
 * An app around the window without a desktop. `none` is one without a tray, `asks` one whose window was
 * closed for the first time, anything else one where that is decided.
 */
import type { Closing, ClosingTold, Desktop, Outcome, Sign } from "./index";

export class FakeDesktop implements Desktop {
  #told: ClosingTold;
  #tell: (told: ClosingTold) => void = () => undefined;
  readonly #end: () => void;

  constructor(tray: string | null, end: () => void) {
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
    return Promise.resolve({ kind: "accepted", answer: { answer: "accepted" } });
  }

  quit(): Promise<void> {
    this.#end();
    return Promise.resolve();
  }
}
