/** Whether the system starts the app when the person logs in: asked of it, never remembered. */
import type { AtLogin, Desktop } from "../backend";
import { refusal } from "../text/errors";

/** How the system stands to it. */
export class Login {
  standing = $state.raw<AtLogin | { kind: "asked" }>({ kind: "asked" });
  /** Why the last change was refused. */
  fault = $state<string>();
  readonly #desktop: Pick<Desktop, "atLogin" | "setAtLogin">;

  constructor(desktop: Pick<Desktop, "atLogin" | "setAtLogin">) {
    this.#desktop = desktop;
  }

  async ask(): Promise<void> {
    this.standing = await this.#desktop.atLogin();
  }

  /** Has it changed, and asks what is true now, whatever became of it. */
  async set(isStarted: boolean): Promise<void> {
    const outcome = await this.#desktop.setAtLogin(isStarted);
    this.fault = outcome.kind === "refused" ? refusal(outcome.error) : undefined;
    await this.ask();
  }
}
