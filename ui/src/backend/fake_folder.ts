/** Answers about what lies in a fake folder, and changes of it. */
import type { CommandView } from "./generated/CommandView";
import type { ConflictView } from "./generated/ConflictView";
import type { FileView } from "./generated/FileView";
import type { FolderView } from "./generated/FolderView";
import type { VersionView } from "./generated/VersionView";
import { assertNever, type Outcome } from "./index";
import { contents, type Contents } from "./fake_contents";

/** What is asked of one folder's contents. */
export type OfContents = Extract<
  CommandView,
  {
    command:
      | "files" | "conflicts" | "resolve" | "preview" | "revert" | "override" | "release_brake"
      | "undo_braked" | "rules" | "set_rules" | "preview_rules" | "held" | "restore_to" | "restore" | "history"
      | "history_below" | "cancel_restore";
  }
>;

/** An answer, and how the folder looks after it. */
export interface Told {
  outcome: Outcome;
  change: Partial<FolderView>;
}

const ACCEPTED: Outcome = { kind: "accepted", answer: { answer: "accepted" } };

/** What lies in one folder. */
export class FakeFolder {
  readonly #in: Contents;
  #listed: { start: string; of: FileView[]; within: FileView[] } | undefined;

  constructor(id: string, nowMs: number) {
    this.#in = contents(id, nowMs);
  }

  answer(command: OfContents, folder: FolderView): Told {
    const only = (outcome: Outcome): Told => ({ outcome, change: {} });
    switch (command.command) {
      case "files":
        return only(this.#files(command.directory, command.after, command.limit));
      case "conflicts": {
        const { entries, more } = page(this.#in.conflicts, ({ path }) => path, command.after, command.limit);
        return only({ kind: "accepted", answer: { answer: "conflicts", conflicts: entries, more } });
      }
      case "held": {
        const { entries, more } = page(this.#in.held, ({ path }) => path, command.after, command.limit);
        return only({ kind: "accepted", answer: { answer: "held", held: entries, more } });
      }
      case "resolve":
        return this.#resolve(command.path);
      case "preview":
        return only(this.#preview(command.path));
      case "revert":
        return { outcome: ACCEPTED, change: { local_changes: 0 } };
      case "override":
        return { outcome: ACCEPTED, change: { needs: 0, state: { state: "in_sync" } } };
      case "release_brake":
      case "undo_braked": {
        const braked = folder.braked.filter(({ peer }) => peer !== command.peer);
        const files = folder.files - (command.command === "release_brake" ? 1204 : 0);
        return { outcome: ACCEPTED, change: { braked, files } };
      }
      case "rules": {
        const local = folder.settings.local_rules;
        return only({ kind: "accepted", answer: { answer: "rules", shared: this.#in.shared, local } });
      }
      case "set_rules":
        this.#in.shared = command.shared;
        return only(ACCEPTED);
      case "preview_rules":
        return only(this.#matches(command.shared, command.local, command.limit));
      case "history":
        return only(this.#history(({ path }) => command.path === null || path === command.path, command.before, command.limit));
      case "history_below": {
        // A file of this folder is deleted when nothing lies at its path.
        const isGone = (path: string) => this.#in.files.every((file) => file.path !== path);
        const isShown = ({ path }: VersionView) => !command.deleted || isGone(path);
        return only(this.#history(isShown, command.before, command.limit));
      }
      case "cancel_restore":
        return { outcome: ACCEPTED, change: { restoring: null } };
      case "restore":
        return only(this.#restore(command.path, command.version));
      case "restore_to": {
        const files = this.#in.versions.filter(({ kept_at_ms }) => kept_at_ms >= command.at_ms).length;
        return only({ kind: "accepted", answer: { answer: "restored_to", files, failed: files > 3 ? 1 : 0 } });
      }
      default:
        return assertNever(command);
    }
  }

  #files(directory: string | null, after: string | null, limit: number): Outcome {
    const start = directory === null ? "" : `${directory}/`;
    // Known from the first page on: a fake must not be what a large directory waits for.
    if (this.#listed?.start !== start || this.#listed.of !== this.#in.files) {
      const within = this.#in.files.filter(
        ({ path }) => path.startsWith(start) && !path.includes("/", start.length),
      );
      this.#listed = { start, of: this.#in.files, within };
    }
    const { within } = this.#listed;
    const { entries, more } = page(within, ({ path }) => path, after, limit);
    return { kind: "accepted", answer: { answer: "files", files: entries, more } };
  }

  #resolve(path: string | null): Told {
    const stays = (each: ConflictView) => path !== null && each.path !== path;
    const decided = this.#in.conflicts.filter((each) => !stays(each)).length;
    if (decided === 0 && path !== null) return { outcome: refused("unknown_conflict"), change: {} };
    this.#in.conflicts = this.#in.conflicts.filter(stays);
    return {
      outcome: { kind: "accepted", answer: { answer: "resolved", conflicts: decided } },
      change: { conflicts: this.#in.conflicts.length },
    };
  }

  #preview(path: string): Outcome {
    const preview = this.#in.previews.get(path);
    return preview ? { kind: "accepted", answer: { answer: "preview", ...preview } } : refused("unknown_entry");
  }

  /** Knows stars, a leading and a trailing slash: enough to see how matches look. */
  #matches(shared: string, local: string, limit: number): Outcome {
    const bad_lines: [string, number][] = [];
    const rules: RegExp[] = [];
    for (const [where, text] of [["shared", shared], ["local", local]] as const) {
      text.split("\n").forEach((line, place) => {
        if (line.trim() === "" || line.startsWith("#")) return;
        if (/\[[^\]]*$/.test(line)) bad_lines.push([where, place + 1]);
        else rules.push(rule(line));
      });
    }
    const paths = this.#in.files.flatMap(({ path }) => (rules.some((each) => each.test(path)) ? [path] : []));
    return {
      kind: "accepted",
      answer: { answer: "matches", paths: paths.slice(0, limit), count: paths.length, bad_lines },
    };
  }

  #history(isShown: (version: VersionView) => boolean, before: string | null, limit: number): Outcome {
    const all = this.#in.versions.filter(isShown);
    const from = before === null ? 0 : all.findIndex(({ id }) => id === before) + 1;
    const versions = all.slice(from, from + limit);
    return { kind: "accepted", answer: { answer: "versions", versions, more: from + limit < all.length } };
  }

  #restore(path: string, version: string | null): Outcome {
    const found = this.#in.versions.find((each) => each.path === path && (version === null || each.id === version));
    if (!found) return refused("unknown_version");
    this.#in.versions = this.#in.versions.filter(({ id }) => id !== found.id);
    return { kind: "accepted", answer: { answer: "restored", version: found.id } };
  }
}

function page<T>(all: T[], key: (entry: T) => string, after: string | null, limit: number) {
  const from = after === null ? 0 : all.findIndex((each) => key(each) === after) + 1;
  return { entries: all.slice(from, from + limit), more: from + limit < all.length };
}

function rule(line: string): RegExp {
  const text = line.trim();
  const inner = text.replace(/^\/|\/$/g, "").replace(/[.+^${}()|\\]/g, "\\$&").replace(/\*/g, "[^/]*");
  return new RegExp(`${text.startsWith("/") ? "^" : "(^|/)"}${inner}(/|$)`);
}

/** A refusal. */
export function refused(code: string): Outcome {
  return { kind: "refused", error: { code, detail: null } };
}
