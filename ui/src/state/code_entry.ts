/**
 * What a person types or pastes as a code. Takes lower case, spaces and a missing hyphen; rejects
 * letters outside the alphabet at once; grows from six boxes to eight for longer codes; takes a
 * whole link or a code with a server (`ABC-234@host`) as it is. Each half has three or four letters.
 */

/** What the boxes hold. */
export type CodeEntry =
  | { kind: "letters"; letters: string; hyphenAt: number | null; fault: CodeFault | null }
  | { kind: "elsewhere"; text: string; host: string }
  | { kind: "nearby"; text: string };

/** Why something typed is not in the boxes. */
export type CodeFault = { kind: "letter"; letter: string } | { kind: "too_long" } | { kind: "link" };

/** Nothing typed. */
export const EMPTY: CodeEntry = { kind: "letters", letters: "", hyphenAt: null, fault: null };

/** Longest link that a device reads, as in its protocol. */
const LINK_MAX = 1024;

const ALPHABET = /^[A-HJ-NP-Z2-9]$/;
const HALF_MIN = 3;
const HALF_MAX = 4;
const LETTERS_MAX = 2 * HALF_MAX;

/** The boxes after their field holds `text`. */
export function typed(text: string): CodeEntry {
  const whole = text.trim();
  if (/^towline:/i.test(whole)) return link(whole);
  const host = elsewhere(whole);
  if (host !== null) return { kind: "elsewhere", text: whole, host };
  let letters = "";
  let hyphenAt: number | null = null;
  let fault: CodeFault | null = null;
  for (const sign of whole.normalize("NFKC")) {
    const letter = sign.toUpperCase();
    if (/[\s\u200b]/u.test(sign)) continue;
    if (/\p{Pd}/u.test(sign)) {
      if (letters.length === HALF_MIN || letters.length === HALF_MAX) hyphenAt ??= letters.length;
    } else if (!ALPHABET.test(letter)) {
      fault ??= { kind: "letter", letter: sign };
    } else if (letters.length === LETTERS_MAX) {
      fault ??= { kind: "too_long" };
    } else {
      letters += letter;
    }
  }
  return { kind: "letters", letters, hyphenAt, fault };
}

/** How many boxes are drawn in front of the hyphen and after it. */
export function boxes(entry: CodeEntry): [number, number] {
  if (entry.kind !== "letters" || entry.letters.length <= 2 * HALF_MIN) {
    const long = entry.kind === "letters" && entry.hyphenAt === HALF_MAX;
    return long ? [HALF_MAX, HALF_MIN] : [HALF_MIN, HALF_MIN];
  }
  if (entry.hyphenAt === HALF_MIN && entry.letters.length === HALF_MIN + HALF_MAX) {
    return [HALF_MIN, HALF_MAX];
  }
  if (entry.hyphenAt === HALF_MAX && entry.letters.length === HALF_MIN + HALF_MAX) {
    return [HALF_MAX, HALF_MIN];
  }
  return [HALF_MAX, HALF_MAX];
}

/** The code to send, when what is typed can be one. */
export function complete(entry: CodeEntry): string | null {
  if (entry.kind !== "letters") return entry.text;
  const [before, after] = boxes(entry);
  if (entry.letters.length !== before + after) return null;
  return `${entry.letters.slice(0, before)}-${entry.letters.slice(before)}`;
}

/** The server that a code names. */
function elsewhere(text: string): string | null {
  const at = text.indexOf("@");
  return at > 0 && at < text.length - 1 ? text.slice(at + 1).toLowerCase() : null;
}

/**
 * A link as the engine will read it, so that the server that is shown is the one that is asked;
 * whether it can be used is the engine's to say.
 */
function link(text: string): CodeEntry {
  const query = /^towline:\/\/pair\/?\?([^#]*)/i.exec(text)?.[1];
  const parts = new URLSearchParams(query);
  const isWhole = ["v", "c", "k"].every((part) => parts.getAll(part).length === 1);
  const servers = parts.getAll("s");
  if (text.length > LINK_MAX || !isWhole || servers.length > 1) {
    return { kind: "letters", letters: "", hyphenAt: null, fault: { kind: "link" } };
  }
  const [server] = servers;
  return server === undefined ? { kind: "nearby", text } : { kind: "elsewhere", text, host: hostOf(server) };
}

function hostOf(server: string): string {
  try {
    return new URL(server).host;
  } catch {
    return server;
  }
}
