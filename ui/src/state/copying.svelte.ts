/** Copying a text for another program: said when it is done, and kept in sight when it is not possible. */
import type { App } from "./app.svelte";

/** What became of the last try to copy. */
export class Copying {
  hasFailed = $state(false);
  readonly #app: Pick<App, "say">;
  readonly #write: (text: string) => Promise<void>;

  constructor(app: Pick<App, "say">, write = (text: string) => navigator.clipboard.writeText(text)) {
    this.#app = app;
    this.#write = write;
  }

  /** Copies a text, and says `done` when it is. */
  async copy(text: string, done: string): Promise<void> {
    try {
      await this.#write(text);
      this.hasFailed = false;
      this.#app.say(done);
    } catch {
      // Browsers refuse it by their rules and systems without a clipboard; a person can do it by hand.
      this.hasFailed = true;
    }
  }
}
