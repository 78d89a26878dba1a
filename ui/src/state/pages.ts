/** Which command asks for which list, and what its answer holds. */
import type { Outcome } from "../backend";
import type { AnswerView } from "../backend/generated/AnswerView";
import type { CommandView } from "../backend/generated/CommandView";
import type { ConflictView } from "../backend/generated/ConflictView";
import type { FileView } from "../backend/generated/FileView";
import type { HeldBackView } from "../backend/generated/HeldBackView";
import type { PreviewView } from "../backend/generated/PreviewView";
import type { VersionView } from "../backend/generated/VersionView";
import type { Ask, Page } from "./paged.svelte";

/** Whoever takes commands. */
export interface Commanded {
  command(command: CommandView): Promise<Outcome>;
}

/** What a file looks like. */
export type Preview =
  | { kind: "asking" }
  | { kind: "text"; text: string; cut: boolean }
  | { kind: "image"; url: string }
  | { kind: "other" }
  | { kind: "refused" };

/** The entries of a directory. */
export function filesOf(of: Commanded, folder: string, directory: string | null): Ask<FileView> {
  return async (last, limit) => {
    const after = last?.path ?? null;
    const outcome = await of.command({ command: "files", folder, directory, after, limit });
    return pageOf(outcome, (answer) =>
      answer.answer === "files" ? { entries: answer.files, more: answer.more } : null,
    );
  };
}

/** The conflicts of a folder. */
export function conflictsOf(of: Commanded, folder: string): Ask<ConflictView> {
  return async (last, limit) => {
    const outcome = await of.command({ command: "conflicts", folder, after: last?.path ?? null, limit });
    return pageOf(outcome, (answer) =>
      answer.answer === "conflicts" ? { entries: answer.conflicts, more: answer.more } : null,
    );
  };
}

/** Which versions of a folder are looked at. */
export type Versions = { of: "all" } | { of: "deleted" } | { of: "path"; path: string };

/** The versions of a folder, of its deleted files or of one path. */
export function versionsOf(of: Commanded, folder: string, which: Versions): Ask<VersionView> {
  return async (last, limit) => {
    const page = { folder, before: last?.id ?? null, limit };
    const outcome = await of.command(
      which.of === "path"
        ? { command: "history", path: which.path, ...page }
        : { command: "history_below", directory: null, deleted: which.of === "deleted", ...page },
    );
    return pageOf(outcome, (answer) =>
      answer.answer === "versions" ? { entries: answer.versions, more: answer.more } : null,
    );
  };
}

/** The entries of a folder that cannot be synced here. */
export function heldOf(of: Commanded, folder: string): Ask<HeldBackView> {
  return async (last, limit) => {
    const outcome = await of.command({ command: "held", folder, after: last?.path ?? null, limit });
    return pageOf(outcome, (answer) =>
      answer.answer === "held" ? { entries: answer.held, more: answer.more } : null,
    );
  };
}

/** The beginning of a file. */
export async function previewOf(of: Commanded, folder: string, path: string): Promise<Preview> {
  const outcome = await of.command({ command: "preview", folder, path });
  if (outcome.kind === "refused" || outcome.answer.answer !== "preview") return { kind: "refused" };
  return preview(outcome.answer);
}

function preview({ kind, text, data_url, cut }: PreviewView): Preview {
  if (kind === "text" && text !== null) return { kind: "text", text, cut };
  // Only pictures that are in the answer: nothing that is fetched from anywhere.
  if (kind === "image" && data_url?.startsWith("data:image/")) return { kind: "image", url: data_url };
  return { kind: "other" };
}

function pageOf<T>(
  outcome: Outcome,
  read: (answer: AnswerView) => { entries: T[]; more: boolean } | null,
): Page<T> {
  if (outcome.kind === "refused") return outcome;
  const page = read(outcome.answer);
  if (page === null) return { kind: "refused", error: { code: "malformed", detail: null } };
  return { kind: "page", ...page };
}
