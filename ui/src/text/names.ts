/**
 * Names from peers and disks, as they may be shown. A name can hold characters that hide, reorder
 * or imitate others; those are shown as their number, so that a person sees that they are there.
 */

/** A piece of a name: as written, or the number of a character that must not act. */
export type NamePiece = { kind: "written"; text: string } | { kind: "escaped"; text: string };

// Control and format characters (bidi, zero width, tags), surrogates, line and paragraph ends,
// and letters that are drawn as nothing. The joiner U+200D stays: emoji are made with it.
const HIDDEN = /(?!\u200d)[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/u;

/** The pieces of a name, in order. */
export function pieces(name: string): NamePiece[] {
  const found: NamePiece[] = [];
  for (const letter of name) {
    const last = found.at(-1);
    if (HIDDEN.test(letter)) {
      found.push({ kind: "escaped", text: number(letter) });
    } else if (last?.kind === "written") {
      last.text += letter;
    } else {
      found.push({ kind: "written", text: letter });
    }
  }
  return found;
}

/** The name as one text, for labels and titles. */
export function plain(name: string): string {
  return pieces(name)
    .map((piece) => piece.text)
    .join("");
}

/** A line of a text from a disk: as a name, but tabs are nothing strange there. */
export function plainLine(line: string): string {
  return line.split("\t").map(plain).join("\t");
}

function number(letter: string): string {
  const code = letter.codePointAt(0) ?? 0;
  return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
}
