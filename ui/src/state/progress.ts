/**
 * How far a folder has come in its current round of work. A round begins when a folder has
 * something to do and ends when it is in sync. The engine tells what is left; what was there at
 * the beginning is remembered here, so that a bar can show a share and a time.
 */
import type { FolderView } from "../backend/generated/FolderView";

/** A round of work of one folder. */
export interface Round {
  startedMs: number;
  /** Most paths that were left at a time. */
  pathsMost: number;
  /** Bytes and files that had arrived when it began. */
  bytesBefore: number;
  filesBefore: number;
}

/** How far a round has come. */
export interface Progress {
  /** 0 to 1. */
  share: number;
  pathsLeft: number;
  bytesLeft: number;
  filesDone: number;
  bytesPerSecond: number;
  /** `null` while there is too little to judge by. */
  leftMs: number | null;
}

/** The round after a view; `null` when there is nothing to do. */
export function round(before: Round | null, folder: FolderView, nowMs: number): Round | null {
  if (!isWorking(folder)) return null;
  const arrived = folder.transfer.fetched_bytes + folder.transfer.reused_bytes;
  if (before === null) {
    return {
      startedMs: nowMs,
      pathsMost: folder.needs,
      bytesBefore: arrived,
      filesBefore: folder.transfer.files,
    };
  }
  return folder.needs > before.pathsMost ? { ...before, pathsMost: folder.needs } : before;
}

/** How far `folder` has come in `round`. */
export function progress(round: Round, folder: FolderView, nowMs: number): Progress {
  const arrived = folder.transfer.fetched_bytes + folder.transfer.reused_bytes;
  const bytesDone = Math.max(0, arrived - round.bytesBefore);
  const byPaths = part(round.pathsMost - folder.needs, round.pathsMost);
  const byBytes = part(bytesDone, bytesDone + folder.transfer.wanted_bytes);
  const share = round.pathsMost <= FEW_PATHS ? Math.max(byPaths, byBytes) : byPaths;
  const elapsed = nowMs - round.startedMs;
  const judged = elapsed >= JUDGE_AFTER_MS && share >= JUDGE_FROM && share < 1;
  return {
    share,
    pathsLeft: folder.needs,
    bytesLeft: folder.transfer.wanted_bytes,
    filesDone: Math.max(0, folder.transfer.files - round.filesBefore),
    bytesPerSecond: folder.transfer.bytes_per_second,
    leftMs: judged ? (elapsed * (1 - share)) / share : null,
  };
}

/** Whether a folder has something to do that a person may wait for. */
export function isWorking(folder: FolderView): boolean {
  return folder.state.state === "syncing" && folder.needs > 0;
}

function part(done: number, all: number): number {
  return all > 0 ? Math.min(1, Math.max(0, done / all)) : 0;
}

/** Up to so many paths are judged by their bytes: one large file is one path for minutes. */
const FEW_PATHS = 32;

/** A time is told after 3 s and 2 %: earlier it jumps. */
const JUDGE_AFTER_MS = 3000;
const JUDGE_FROM = 0.02;
