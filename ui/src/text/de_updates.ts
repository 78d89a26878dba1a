/** The words for updates of the app, in German. */
import type { englishUpdates } from "./en_updates";
import type { Numbers } from "./numbers";

/** The words, for the numbers of one locale. */
export function germanUpdates(numbers: Numbers): ReturnType<typeof englishUpdates> {
  const again = "Prüfen Sie noch einmal. Bleibt es dabei, holen Sie Towline neu von dort, woher Sie es haben.";

  return {
    title: "Aktualisierungen",
    text: "Towline sucht beim Start und einmal am Tag nach einer neuen Version. Es verrät dabei nicht, wer Sie sind und welche Version Sie haben.",
    runs: (version) => `Dies ist Towline ${version}.`,
    answered: (ms) => `gefragt am ${numbers.moment(ms)}`,
    never: "noch nicht gefragt",
    state: {
      idle: "Auf dem neuesten Stand",
      checking: "Sucht nach einer neuen Version",
      available: (version) => `Towline ${version} ist da`,
      downloading: (version) => `Holt Towline ${version}`,
      ready: (version) => `Towline ${version} liegt bereit`,
      installing: (version) => `Installiert Towline ${version}`,
    },
    readyText: "Es wird installiert, wenn Sie Towline beenden. Was gerade geschrieben wird, wird vorher fertig.",
    nowText: "Es wird installiert, sobald es da ist. Was gerade geschrieben wird, wird vorher fertig, und Towline startet neu.",
    quitText: "Es wird installiert, wenn Sie Towline beenden.",
    installingText: "Ihre Ordner ruhen. Towline startet gleich wieder.",
    progress: "Fortschritt der Aktualisierung",
    got: (got, total) =>
      total === null ? numbers.bytes(got) : `${numbers.bytes(got)} von ${numbers.bytes(total)}`,
    news: (version) => `Neu in ${version}`,
    noNews: "Der Herausgeber sagt nichts dazu.",
    check: "Jetzt suchen",
    now: "Installieren und neu starten",
    quit: "Installieren, wenn ich Towline beende",
    show: "Zeigen",
    notice: {
      available: (version) => ({
        what: `Towline ${version} ist da.`,
        todo: "Sehen Sie, was neu ist, und wählen Sie, wann es installiert wird.",
      }),
      ready: (version) => ({
        what: `Towline ${version} liegt bereit.`,
        todo: "Es wird installiert, wenn Sie Towline beenden, oder auf Wunsch sofort.",
      }),
    },
    channel: "Welche Versionen",
    channels: {
      stable: { name: "Stabile", text: "Andere haben sie vorher erprobt." },
      beta: { name: "Vorabversionen (Beta)", text: "Neues früher, samt seinen Fehlern." },
    },
    pinned: (version) => `Nur Versionen, die mit ${version} beginnen, werden installiert.`,
    automatic: "Neue Versionen holen und installieren, wenn ich Towline beende",
    automaticText: "Nicht, solange Dateien warten, und nicht in einem Netzwerk, das nach Volumen kostet.",
    locked: {
      administrator: "Von der Verwaltung dieses Computers festgelegt.",
      file: "In der Einstellungsdatei dieses Geräts festgelegt.",
    },
    place: {
      replaced: "",
      package:
        "Towline wurde als Paket installiert. Eine neue Version zu installieren verlangt das Passwort eines Administrators; ohne eines hilft die Paketverwaltung Ihres Systems.",
      read_only:
        "Towline liegt dort, wo Sie nicht schreiben dürfen, und kann sich deshalb nicht selbst ersetzen. Verschieben Sie es in eines Ihrer Verzeichnisse, oder fragen Sie, wer es dort abgelegt hat.",
    },
    elsewhere:
      "Dieses Gerät läuft in einem anderen Programm („towline up“). Eine Aktualisierung dieses Fensters lässt es, wie es ist: Aktualisieren Sie auch jenes Programm, und starten Sie es neu.",
    off: {
      development: {
        what: "Diese Fassung hat keine Aktualisierungen.",
        todo: "Sie wurde aus den Quellen gebaut. Holen Sie neue Quellen, und bauen Sie noch einmal.",
      },
      rule: { what: "Aktualisierungen sind abgeschaltet.", todo: "" },
      unreadable: {
        what: "Es wird nicht nach Aktualisierungen gefragt, weil eine Einstellungsdatei nicht gelesen werden kann.",
        todo: "Berichtigen Sie darin die Zeile „update“, oder entfernen Sie sie.",
      },
      local_network: {
        what: "Es wird nicht nach Aktualisierungen gefragt, weil dieses Gerät im lokalen Netzwerk bleibt.",
        todo: "Schalten Sie das ab, um danach zu suchen.",
      },
      starting: { what: "Towline sucht gleich nach einer neuen Version.", todo: "" },
    },
    before: "Die letzte Aktualisierung wurde nicht installiert.",
    codes: {
      unreachable: {
        what: "Der Herausgeber der Aktualisierungen ist nicht erreichbar.",
        todo: "Prüfen Sie das Netzwerk, und versuchen Sie es noch einmal. Towline versucht es auch von selbst wieder.",
      },
      nothing_there: {
        what: "Der Herausgeber hat keine Versionen dieser Art.",
        todo: "Wählen Sie die anderen, oder warten Sie.",
      },
      manifest_signature: {
        what: "Jemand anders als der Herausgeber von Towline hat geantwortet, oder die Antwort wurde unterwegs verändert.",
        todo: `Nichts wurde installiert. ${again}`,
      },
      manifest_malformed: { what: "Die Antwort des Herausgebers ist nicht zu verstehen.", todo: again },
      signature: {
        what: "Was geholt wurde, ist nicht das, was der Herausgeber von Towline signiert hat.",
        todo: `Es wurde verworfen und nichts installiert. ${again}`,
      },
      signed_version: {
        what: "Was geholt wurde, ist eine andere Version als die angekündigte.",
        todo: `Es wurde verworfen und nichts installiert. ${again}`,
      },
      download: {
        what: "Die neue Version kam nicht vollständig an.",
        todo: "Nichts wurde installiert. Prüfen Sie das Netzwerk, und versuchen Sie es noch einmal.",
      },
      no_build: {
        what: "Für diese Art von Computer gibt es keine neue Version.",
        todo: "Sehen Sie dort nach, woher Sie Towline haben.",
      },
      rights: {
        what: "Das Paket wurde nicht installiert, weil niemand das Passwort eines Administrators eingegeben hat.",
        todo: "Versuchen Sie es damit noch einmal, oder installieren Sie es mit der Paketverwaltung Ihres Systems.",
      },
      disk: {
        what: "Die neue Version kann nicht dorthin geschrieben werden, wo Towline liegt.",
        todo: "Schaffen Sie dort Platz, oder prüfen Sie, ob Sie dort schreiben dürfen. Ihre jetzige Version läuft weiter.",
      },
      install: {
        what: "Das System hat die neue Version nicht installiert.",
        todo: "Ihre jetzige Version läuft weiter. Holen Sie die neue von dort, woher Sie Towline haben.",
      },
    },
  };
}
