/** Paths as people type them, on any system. The engine decides whether they can be used. */

/** Whether a path begins at the root of a disk. */
export function isAbsolute(path: string): boolean {
  return /^(\/|[A-Za-z]:[\\/]|\\\\)/.test(path);
}

/** The name of the directory that a path ends with. */
export function lastPart(path: string): string {
  return path.split(/[\\/]/).filter(Boolean).at(-1) ?? "";
}
