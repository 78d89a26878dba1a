/** Directories inside a folder: where a path leads through. */

/** A directory on the way to another one; the folder itself is `null`. */
export interface Crumb {
  path: string | null;
  name: string;
}

/** The way from the folder's top to a directory. */
export function crumbs(top: string, directory: string | null): Crumb[] {
  const parts = directory === null ? [] : directory.split("/");
  const below = parts.map((name, place) => ({ path: parts.slice(0, place + 1).join("/"), name }));
  return [{ path: null, name: top }, ...below];
}

/** The directory that a path lies in; the folder's top is `null`. */
export function parent(path: string): string | null {
  const end = path.lastIndexOf("/");
  return end < 0 ? null : path.slice(0, end);
}

/** The last part of a path in a folder, where only `/` parts. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
