/** The words of the window in a browser, in German. */
import type { englishBrowser, englishBrowserCodes } from "./en_browser";

/** The words of its screens. */
export const germanBrowser: typeof englishBrowser = {
  title: "Dieses Gerät öffnen",
  link: "Führen Sie diesen Befehl auf dem Computer aus, auf dem Towline läuft, und öffnen Sie den Link, den er ausgibt:",
  once: "Ein Link gilt einmal und fünf Minuten lang. Dieser Tab bleibt danach offen, bis Sie ihn schließen oder Towline beendet wird.",
  password: "Passwort",
  open: "Öffnen",
  orLink: "Oder führen Sie dies auf dem Computer aus, auf dem Towline läuft, und öffnen Sie den Link:",
  pathHint: "Der ganze Pfad, auf dem Computer, auf dem Towline läuft.",
  lost: {
    what: "Dieses Gerät antwortet nicht.",
    todo: "Es wird von selbst weiter versucht. Was Sie sehen, kann veraltet sein. Wurde Towline dort beendet, starten Sie es.",
  },
};

/** What is refused only there. */
export const germanBrowserCodes: typeof englishBrowserCodes = {
  unreachable: { what: "Dieses Gerät antwortet nicht.", todo: "Soweit bekannt, wurde nichts geändert. Versuchen Sie es noch einmal, wenn es antwortet." },
  session: { what: "Dieser Tab darf das Gerät nicht mehr verwenden.", todo: "Führen Sie dort „towline web“ aus, und öffnen Sie den Link." },
  token: { what: "Dieser Link wurde schon verwendet oder ist älter als fünf Minuten.", todo: "Führen Sie „towline web“ noch einmal aus." },
  password: { what: "Das Passwort ist falsch.", todo: "Versuchen Sie es noch einmal." },
  too_many: { what: "Das Passwort wurde zu oft versucht.", todo: "Warten Sie eine Minute, oder führen Sie dort „towline web“ aus und öffnen Sie den Link." },
};
