/** The words for signal servers: using one, running one on this computer; in German. */
import type { englishServers } from "./en_servers";

/** The words. */
export function germanServers(): ReturnType<typeof englishServers> {
  return {
    title: "Signalserver",
    near: "Nicht gefragt: Dieses Gerät bleibt im lokalen Netzwerk",
    add: {
      label: "Adresse eines Servers",
      example: "wss://signal.example.org/ws",
      hint: "Wie sie der Betreiber nennt, etwa wss://signal.example.org/ws oder ws://192.168.1.20:8080/ws. Hat der Server ein Zertifikat, genügt der Rechnername.",
      use: "Verwenden",
      used: "Dieses Gerät verwendet von nun an jenen Server",
    },
    remove: "Entfernen",
    removeLabel: (url) => `${url} entfernen`,
    removed: "Dieses Gerät verwendet jenen Server nicht mehr",
    usual: "Wieder den üblichen Server verwenden",
    usualUsed: "Dieses Gerät verwendet wieder den üblichen Server",
    bySomebody: "Die Signalserver wurden beim Start von Towline oder in seiner Einstellungsdatei festgelegt.",
    here: {
      title: "Ein Server auf diesem Computer",
      text: "Dieser Computer kann der Server sein, bei dem sich Ihre Geräte treffen. Er muss an und Towline offen sein, wenn sie einander suchen.",
      run: "Auf diesem Computer betreiben",
      runs: "Läuft auf diesem Computer",
      tell: "Geben Sie diese Adresse auf Ihren anderen Geräten ein, beim ersten Start unter „Server verwenden“ oder in den Einstellungen:",
      tellOneOf: "Geben Sie eine dieser Adressen auf Ihren anderen Geräten ein, beim ersten Start unter „Server verwenden“ oder in den Einstellungen:",
      copy: "Kopieren",
      copyLabel: (url) => `${url} kopieren`,
      copied: "Adresse kopiert",
      copyFailed: "Kopieren ist hier nicht möglich. Markieren Sie die Adresse und kopieren Sie sie von Hand.",
      near: "Er ist für Geräte im selben Netzwerk. Von anderswo ist er nur zu erreichen, wenn Ihr Router jenen Port zu diesem Computer weiterleitet; dann sollte er ein Zertifikat haben: siehe „towline serve --help“.",
      plain: "In diesem Netzwerk können andere sehen, welche Geräte sich hier treffen. Namen, Dateien und Codes bleiben zwischen Ihren Geräten verschlüsselt.",
      alone: "Dieser Computer ist gerade in keinem Netzwerk. Darum erreicht ihn kein anderes Gerät.",
      stop: "Beenden",
      stopped: "Der Server auf diesem Computer ist beendet",
    },
    first: {
      title: "Bisher nur in diesem Netzwerk",
      text: "Kein Signalserver ist eingestellt. Geräte im selben Netzwerk finden einander ohne ihn; um sich von anderswo zu treffen, brauchen sie einen.",
      use: "Server verwenden",
      set: "Sein Server",
    },
  };
}
