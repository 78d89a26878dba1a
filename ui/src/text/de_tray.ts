/** The words around the window: the sign in the tray, closing and ending; in German. */
import type { englishTray } from "./en_tray";

/** The words. */
export function germanTray(): ReturnType<typeof englishTray> {
  return {
    open: "Towline öffnen",
    pause: "Alle Ordner anhalten",
    resume: "Alle Ordner fortsetzen",
    quit: "Towline beenden",
    ending: "Wird abgeschlossen …",
    endingText: "Was gerade geschrieben wird, wird noch fertig. Dann schließt sich das Fenster von selbst.",
    title: "Wenn das Fenster geschlossen wird",
    text: "Ordner folgen einander, solange Towline läuft, mit oder ohne Fenster.",
    stay: { name: "In der Leiste bleiben", text: "Towline läuft weiter. Sein Zeichen in der Leiste öffnet das Fenster wieder." },
    end: { name: "Beenden", text: "Towline schreibt fertig, was gerade geschrieben wird, und endet." },
    none: "Hier zeigt keine Leiste ein Zeichen, also beendet das Schließen des Fensters Towline.",
    saved: "Gespeichert",
    asks: {
      what: "Towline lief weiter, als Sie sein Fenster schlossen.",
      todo: "Sein Zeichen in der Leiste öffnet das Fenster wieder und beendet Towline.",
    },
    keep: "So lassen",
    endInstead: "Lieber beenden",
    key: (modifier) => `${modifier === "Ctrl" ? "Strg" : modifier}+Q beendet Towline.`,
  };
}
