/** What is done with a whole folder by one press. What failed is told until the next press. */
import type { Outcome } from "../backend";
import type { FolderView } from "../backend/generated/FolderView";
import { words } from "../text";
import { refusal } from "../text/errors";
import type { App } from "./app.svelte";

/** The presses on one folder. */
export class FolderActs {
  fault = $state<string>();
  readonly #app: Pick<App, "backend" | "command" | "say">;

  constructor(app: Pick<App, "backend" | "command" | "say">) {
    this.#app = app;
  }

  /** Pauses it, or lets it go on. */
  async pause({ id, settings }: FolderView): Promise<void> {
    const next = { ...settings, paused: !settings.paused };
    const outcome = await this.#app.command({ command: "configure_folder", folder: id, settings: next });
    this.#end(outcome, next.paused ? words.head.paused : words.head.resumed);
  }

  /** Looks for changes. */
  async rescan({ id }: FolderView): Promise<void> {
    this.#end(await this.#app.command({ command: "rescan", folder: id }), words.folders.rescanned);
  }

  /** Shows it in the system's file manager, which says enough by itself. */
  async open({ id }: FolderView): Promise<void> {
    this.#end(await this.#app.backend.openFolder(id), "");
  }

  #end(outcome: Outcome, done: string): void {
    this.fault = outcome.kind === "refused" ? refusal(outcome.error) : undefined;
    if (outcome.kind === "accepted" && done !== "") this.#app.say(done);
  }
}
