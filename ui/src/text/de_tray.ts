/** The words around the window: the sign in the tray, closing and ending; in German. */
import type { englishTray } from "./en_tray";

/** The words. */
export function germanTray(): ReturnType<typeof englishTray> {
  return {
    open: "Towline öffnen",
    pause: "Alle Ordner anhalten",
    resume: "Alle Ordner fortsetzen",
    quit: "Towline beenden",
    ending: "Wird beendet …",
    endingText: "Was gerade geschrieben wird, wird noch fertig. Dann schließt sich das Fenster von selbst.",
    title: "Wenn das Fenster geschlossen wird",
    text: "Ordner folgen einander, solange Towline läuft, mit oder ohne Fenster.",
    stay: { name: "Im Infobereich bleiben", text: "Towline läuft weiter. Sein Symbol im Infobereich öffnet das Fenster wieder." },
    end: { name: "Beenden", text: "Towline schreibt noch fertig, was es begonnen hat, und beendet sich." },
    none: "Hier gibt es keinen Infobereich. Mit dem Fenster wird darum auch Towline beendet.",
    saved: "Gespeichert",
    asks: {
      what: "Towline lief weiter, als Sie sein Fenster geschlossen haben.",
      todo: "Über sein Symbol im Infobereich können Sie das Fenster wieder öffnen und Towline beenden.",
    },
    keep: "So lassen",
    endInstead: "Lieber beenden",
    key: (modifier) => `${modifier === "Ctrl" ? "Strg" : modifier}+Q beendet Towline.`,
  };
}
