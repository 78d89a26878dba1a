/** The place on this computer that a form asks for: typed, chosen in the system's dialog, or dropped. */
import { assertNever, type Backend, type Choice } from "../backend";
import { words } from "../text";
import { refusal } from "../text/errors";
import { isAbsolute } from "./paths";

/** A path to fill in, and what is wrong with it. */
export class Place {
  path = $state("");
  fault = $state<string>();
  #chosen: string | undefined;
  #isChoosing = false;

  /** Shows the dialog; what is there stays when nothing is chosen. One dialog at a time. */
  async choose(backend: Pick<Backend, "pickDirectory">, title: string): Promise<void> {
    if (this.#isChoosing) return;
    this.#isChoosing = true;
    const choice = await backend.pickDirectory(title, this.path.trim());
    this.#isChoosing = false;
    this.take(choice);
  }

  /** Takes what was chosen, or says why it cannot be used. */
  take(choice: Choice): void {
    switch (choice.kind) {
      case "chosen":
        this.path = choice.path;
        this.#chosen = choice.path;
        this.fault = undefined;
        return;
      case "nothing":
        return;
      case "refused":
        this.fault = refusal(choice.error);
        return;
      default:
        assertNever(choice);
    }
  }

  /**
   * The path when it is a whole one; otherwise `null`, and the fault says so. Blanks at the ends are
   * slips of the hand where it was typed, and part of the name where it was chosen.
   */
  whole(): string | null {
    const path = this.path === this.#chosen ? this.path : this.path.trim();
    if (isAbsolute(path)) return path;
    this.fault = words.path.mustBeFull;
    return null;
  }
}
