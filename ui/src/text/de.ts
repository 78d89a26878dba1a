/**
 * Every word of the window, in German: polite where somebody is addressed, without address where
 * that reads well.
 *
 * | English       | German            | English       | German                |
 * | ------------- | ----------------- | ------------- | --------------------- |
 * | device        | Gerät             | history       | Verlauf               |
 * | pair          | koppeln           | conflict      | Konflikt              |
 * | code          | Code              | rule          | Regel                 |
 * | compare       | vergleichen       | sync          | synchronisieren       |
 * | link          | Verbindung        | held back     | zurückgehalten        |
 * | path          | Weg               | brake         | Bremse                |
 * | folder        | Ordner            | signal server | Signalserver          |
 * | directory     | Verzeichnis       | key, keyring  | Schlüssel, Schlüsselbund |
 * | entry         | Eintrag           | sealed        | verschlüsselt         |
 * | invitation    | Einladung         | index         | Index                 |
 * | tray          | Infobereich       | quit          | beenden               |
 */
import { germanBrowser } from "./de_browser";
import { germanChecks } from "./de_checks";
import { germanCodes } from "./de_codes";
import { germanFolder } from "./de_folder";
import { germanManners } from "./de_manners";
import { germanNetwork } from "./de_network";
import { germanServers } from "./de_servers";
import { germanTraffic } from "./de_traffic";
import { germanTray } from "./de_tray";
import { germanUpdates } from "./de_updates";
import type { Words } from "./en";
import type { Numbers } from "./numbers";

/** The words, for the numbers of one locale. */
export function german(numbers: Numbers): Words {
  const n = (count: number, one: string, other: string) =>
    numbers.plural(count, { one: `# ${one}`, other: `# ${other}` });
  const files = (count: number) => n(count, "Datei", "Dateien");
  const devices = (count: number) => n(count, "Gerät", "Geräte");

  return {
    ...germanFolder(numbers),
    ...germanManners(numbers),
    browser: germanBrowser,
    traffic: germanTraffic(numbers),
    updates: germanUpdates(numbers),
    network: germanNetwork(numbers),
    checks: germanChecks(numbers),
    codes: germanCodes(),
    servers: germanServers(),
    tray: germanTray(),
    comma: ", ",
    gap: " ",
    app: "Towline",
    unknownDevice: "unbekanntes Gerät",
    skip: "Zum Inhalt springen",
    keys: (modifier, key) => `${modifier === "Ctrl" ? "Strg" : modifier}+${key}`,
    nav: {
      label: "Hauptmenü",
      home: "Übersicht",
      folders: "Ordner",
      devices: "Geräte",
      network: "Netzwerk",
      settings: "Einstellungen",
    },
    palette: {
      open: "Suchen",
      label: "Etwas öffnen oder beginnen",
      hint: "Ein Ordner, ein Gerät, ein Vorhaben …",
      kinds: { action: "Beginnen", screen: "Bereich", invitation: "Einladung", folder: "Ordner", device: "Gerät" },
      found: (count) => n(count, "Treffer", "Treffer"),
      none: "Nichts heißt so. Ein Teil des Namens eines Ordners oder Geräts genügt.",
      rest: (count) => `${n(count, "weiterer Treffer", "weitere Treffer")}. Ein Buchstabe mehr grenzt ein.`,
    },
    headline: {
      allInSync: "Alles synchron",
      alone: "Noch mit keinem anderen Computer verbunden",
      noFolders: (peers) => `${devices(peers)} gekoppelt, noch keine Ordner`,
      nobodyHere: "Wartet auf Ihre anderen Geräte",
      scanning: "Sucht nach Änderungen",
      syncing: (count) => `Synchronisiert ${n(count, "Ordner", "Ordner")}`,
      waiting: (count) => n(count, "Änderung wartet", "Änderungen warten"),
      onlyHere: "Ihre Ordner sind bisher nur hier",
      attention: (count) => n(count, "Sache braucht Sie", "Sachen brauchen Sie"),
      conflicts: (count) => n(count, "Konflikt braucht Sie", "Konflikte brauchen Sie"),
      paused: "Ihre Ordner sind angehalten",
      speed: (speed) => numbers.speed(speed),
      left: (ms) => `noch ${numbers.duration(ms)}`,
    },
    start: {
      starting: "Startet …",
      failed: "Towline konnte nicht starten",
      ended: "Dieses Gerät ist angehalten",
      endedWhat: "Das Programm hinter diesem Fenster wurde beendet. Ihre Dateien sind, wo sie waren.",
      again: "Neu starten",
    },
    welcome: {
      title: "Eine direkte Leitung zwischen Ihren Computern",
      lead: "Einmal sechs Zeichen eingeben. Von da an sind Ihre Ordner auf beiden gleich.",
      name: "Wie heißt dieser Computer?",
      nameHint: "Ihre anderen Geräte sehen diesen Namen.",
      pair: "Gerät koppeln",
      enter: "Code eingeben",
      keyring: "Der Schlüssel dieses Geräts liegt im Schlüsselbund Ihres Systems.",
      file: "Dieses System hat keinen brauchbaren Schlüsselbund. Der Schlüssel dieses Geräts liegt darum in einer Datei, die nur Sie lesen dürfen.",
    },
    home: {
      title: "Übersicht",
      thisDevice: "Dieses Gerät",
      linesLabel: "Ihre Geräte und wie sie verbunden sind",
      emptyTitle: "Noch niemand am anderen Ende",
      emptyText: "Koppeln Sie einen zweiten Computer: Der eine zeigt sechs Zeichen, auf dem anderen geben Sie sie ein.",
      pair: "Gerät koppeln",
      foldersTitle: "Ordner",
      noFoldersTitle: "Den ersten Ordner teilen",
      noFoldersText: "Wählen Sie hier einen Ordner und laden Sie ein Gerät ein. Von da an bleiben beide gleich.",
      addFolder: "Ordner hinzufügen",
      allFolders: "Alle Ordner",
    },
    invitation: {
      label: "Einladungen",
      title: (peer, folder) => `${peer} teilt „${folder}“ mit Ihnen`,
      text: "Wählen Sie, wo er auf diesem Computer liegen soll. Vorher wird nichts kopiert.",
      where: "Wo soll er liegen?",
      whereHint: "Wo noch kein Ordner ist, wird einer angelegt.",
      accept: "Annehmen",
      choose: "Ort wählen",
    },
    path: {
      choose: "Auswählen …",
      placeholder: "/home/name/Bilder",
      mustBeFull: "Den ganzen Pfad angeben, vom Anfang des Datenträgers an.",
    },
    folders: {
      title: "Ordner",
      add: "Ordner hinzufügen",
      emptyTitle: "Noch keine Ordner",
      emptyText:
        "Fügen Sie einen Ordner dieses Computers hinzu und laden Sie ein Gerät ein, oder nehmen Sie eine Einladung an, wenn hier eine ankommt.",
      open: "Ordner öffnen",
      openShort: "Öffnen",
      openOf: (label) => `${label} im Dateimanager öffnen`,
      pauseOf: (label) => `${label} anhalten`,
      resumeOf: (label) => `${label} fortsetzen`,
      rescan: "Nach Änderungen suchen",
      rescanned: "Sucht nach Änderungen",
      stop: "Nicht mehr synchronisieren",
      stopped: (label) => `„${label}“ wird hier nicht mehr synchronisiert`,
      stopTitle: (label) => `„${label}“ hier nicht mehr synchronisieren?`,
      stopText: "Die Dateien bleiben auf diesem Computer und auf den anderen. Dieses Gerät folgt keinen Änderungen mehr.",
      back: "Alle Ordner",
      contents: (count, directories, bytes) => {
        const where = directories > 0 ? ` in ${n(directories, "Verzeichnis", "Verzeichnissen")}` : "";
        return `${files(count)}${where}, ${numbers.bytes(bytes)}`;
      },
      contentsShort: (count, bytes) => `${files(count)}, ${numbers.bytes(bytes)}`,
      where: "Ort",
      holds: "Inhalt",
      fetched: "Empfangen",
      fetchedText: (bytes, reused) =>
        reused > 0
          ? `${numbers.bytes(bytes)} seit dem Start, ${numbers.bytes(reused)} lagen schon hier`
          : `${numbers.bytes(bytes)} seit dem Start`,
      peersTitle: "Geräte",
      nobody: "Nur dieses Gerät hat diesen Ordner. Ein weiteres einladen:",
      inviteMore: "Ein weiteres Gerät einladen:",
      invite: (peer) => `${peer} einladen`,
      invited: (peer) => `${peer} ist eingeladen`,
      noPeers: "Koppeln Sie zuerst ein Gerät, dann können Sie es einladen.",
    },
    folderState: {
      opening: "Wird geöffnet",
      paused: "Gestoppt",
      paused_by_person: "Angehalten",
      braked: "Wartet auf Sie",
      conflicts: (count) => n(count, "Konflikt", "Konflikte"),
      scanning: "Sucht nach Änderungen",
      syncing: "Synchronisiert",
      waiting: "Wartet",
      in_sync: "Synchron",
      waitingText: (count) =>
        `${n(count, "Änderung liegt", "Änderungen liegen")} auf keinem verbundenen Gerät oder wird hier zurückgehalten. Es geht von selbst weiter.`,
      only: "Bisher nur hier",
      nobodyConnected: "Niemand verbunden",
    },
    folderPeer: {
      invited: "Eingeladen, noch nicht angenommen",
      connected: "Verbunden",
      away: "Nicht da",
    },
    progress: {
      label: (folder) => `Fortschritt von ${folder}`,
      left: (count) => `noch ${n(count, "Änderung", "Änderungen")}`,
      bytes: (bytes) => `${numbers.bytes(bytes)} zu holen`,
      files: (done) => `${files(done)} fertig`,
    },
    addFolder: {
      title: "Ordner hinzufügen",
      lead: "Er bleibt, wo er ist. Geräte, die Sie einladen, bekommen ihre eigene Kopie.",
      where: "Welcher Ordner?",
      label: "Wie heißt er?",
      labelHint: "Wie der Ordner selbst, wenn Sie keinen anderen Namen vorziehen.",
      peers: "Wer macht mit?",
      peersHint: "Ob und wohin sie ihn nehmen, wird dort entschieden.",
      noPeers: "Noch ist kein Gerät gekoppelt. Sie können den Ordner jetzt hinzufügen und später jemanden einladen.",
      add: "Hinzufügen",
      cancel: "Abbrechen",
      added: (label) => `„${label}“ ist hinzugefügt`,
      missing: (label, peer) => `„${label}“ ist hier hinzugefügt, aber ${peer} ist noch nicht eingeladen.`,
      again: "Noch einmal einladen",
      show: "Ordner zeigen",
    },
    accept: {
      title: (label) => `Bei „${label}“ mitmachen`,
      from: (peer) => `Geteilt von ${peer}`,
      gone: "Diese Einladung gibt es nicht mehr. Bitten Sie um eine neue.",
    },
    devices: {
      title: "Geräte",
      pair: "Gerät koppeln",
      emptyTitle: "Noch keine anderen Geräte",
      emptyText: "Koppeln Sie eines: Das braucht sechs Zeichen und keine Minute.",
      rename: "Umbenennen",
      places: "Adressen",
      place: (address) => `Wird auch unter ${address} gesucht`,
      placeSet: (address) => `Wird auch unter ${address} gesucht, so in einer Datei eingestellt`,
      placeLabel: "Wo dieses Gerät ist",
      placeExample: "nas.example:41641",
      placeHint:
        "Ein Rechnername und ein UDP-Port, für Netzwerke, in denen die Geräte einander nicht finden. Eine falsche Adresse schadet nicht: Eingelassen wird nur das Gerät selbst.",
      addPlace: "Hinzufügen",
      removePlace: (address) => `${address} entfernen`,
      placesDone: "Fertig",
      renameLabel: (peer) => `Neuer Name für ${peer}`,
      save: "Speichern",
      compare: "Vergleichen",
      remove: "Entfernen",
      removeTitle: (peer) => `${peer} entfernen?`,
      removeText:
        "Es kann sich nicht mehr verbinden, und gemeinsame Ordner folgen einander nicht mehr. Die Dateien bleiben auf beiden Computern. Rückgängig wird das durch erneutes Koppeln.",
      verified: "Verglichen",
      unverified: "Noch nicht verglichen",
      twins: "Zwei Computer verwenden diese Identität; mit ihnen wird nichts synchronisiert",
      shares: (labels) => `Teilt ${numbers.list(labels)}`,
      sharesNothing: "Teilt noch keinen Ordner",
      traffic: (received, sent) => `${numbers.bytes(received)} empfangen, ${numbers.bytes(sent)} gesendet`,
    },
    link: {
      away: "Nicht da",
      connecting: "Verbindet",
      lan: "In der Nähe verbunden",
      direct: "Direkt verbunden",
      turn: "Über einen TURN-Server, verschlüsselt",
      relayed: "Weitergeleitet, verschlüsselt",
      impostor: "Jemand anderes hat geantwortet",
      rtt: (ms) => numbers.milliseconds(ms),
      retry: (ms) => `nächster Versuch in ${numbers.duration(ms)}`,
      address: (address) => `unter ${address}`,
    },
    pair: {
      title: "Gerät koppeln",
      back: "Geräte",
      showTitle: "Code zeigen",
      showText: "Auf dem anderen Computer eingeben, oder ihn der Person vorlesen, die dort sitzt.",
      show: "Code zeigen",
      opening: "Holt einen Code …",
      codeLabel: "Ihr Code",
      valid: (clock) => `gilt noch ${clock}`,
      expiring: "Dieser Code ist abgelaufen.",
      qrLabel: "Dieselbe Einladung als QR-Code",
      copyCode: "Code kopieren",
      copyLink: "Link kopieren",
      newCode: "Neuer Code",
      cancel: "Abbrechen",
      codeCopied: "Code kopiert",
      linkCopied: "Link kopiert. Wer ihn in den nächsten fünf Minuten hat, kann sich mit Ihnen koppeln.",
      copyFailed: { what: "Kopieren ist hier nicht möglich.", todo: "Markieren Sie den Code und kopieren Sie ihn von Hand." },
      enterTitle: "Code eingeben",
      nearbyOnly: "Ein Signalserver ist nicht da. Der andere Computer muss darum im selben Netzwerk sein.",
      enterText: "Der andere Computer zeigt ihn unter „Gerät koppeln“.",
      enterLabel: "Code des anderen Geräts",
      enter: "Verbinden",
      typed: (count, all) => `${numbers.count(count)} von ${numbers.count(all)} Zeichen`,
      clear: "Leeren",
      linkPasted: "Ein Link zum Koppeln",
      linkOpened: "Mit diesem Link koppeln?",
      linkOpenedText: "Jemand hat Ihnen diesen Link gegeben. Verbinden Sie sich nur, wenn Sie wissen, wer es war, und es jetzt wollen.",
      linkNearby: "Er trifft das andere Gerät in diesem Netzwerk.",
      linkServer: (host) => `Er trifft das andere Gerät bei ${host}. Fahren Sie nur fort, wenn Sie diesem Server vertrauen.`,
      rejected: (letter) =>
        `Codes enthalten kein „${letter}“. Sie bestehen aus Buchstaben ohne I und O und den Ziffern 2 bis 9.`,
      tooLong: "Ein Code hat höchstens acht Zeichen.",
      joining: "Sucht das andere Gerät …",
      proving: "Prüft, ob beide den Code kennen …",
      pairedWith: (peer) => `Gekoppelt mit ${peer}`,
      compareTitle: "Zeigen beide Bildschirme dasselbe?",
      compareText:
        "Hätte sich jemand dazwischengeschoben, wären diese Bilder verschieden. Vergleichen Sie sie am Telefon oder quer durch den Raum.",
      match: "Sie sind gleich",
      differ: "Sie sind verschieden",
      later: "Später vergleichen",
      differTitle: "Diesem Gerät nicht mehr vertrauen?",
      differText: (peer) =>
        `Sind die Bilder verschieden, sitzt vielleicht jemand zwischen Ihnen und ${peer}. Die Kopplung wird aufgehoben und nichts geteilt.`,
      differConfirm: "Nicht mehr vertrauen",
      undone: {
        what: "Die Kopplung ist aufgehoben.",
        todo: "Koppeln Sie noch einmal mit einem neuen Code, am besten in einem anderen Netzwerk.",
      },
      matched: "Verglichen. Diese Leitung gehört nur Ihnen.",
      shares: (peer) => `Wenn ${peer} einen Ordner mit Ihnen teilt, erscheint er hier.`,
      next: "Weiter",
      share: "Ordner teilen",
      done: "Fertig",
    },
    compare: {
      back: "Geräte",
      title: (peer) => `Mit ${peer} vergleichen`,
    },
    settings: {
      title: "Einstellungen",
      name: "Name dieses Geräts",
      nameHint: "Ihre anderen Geräte sehen diesen Namen.",
      save: "Speichern",
      saved: "Name gespeichert",
      serverHint:
        "Macht Ihre Geräte miteinander bekannt und leitet verschlüsselte Pakete weiter, wo es keinen direkten Weg gibt. Lesen kann er sie nicht.",
      localOnly: "Keiner: Nichts verlässt das lokale Netzwerk",
      serverLocked: "Die Signalserver hat die Verwaltung dieses Computers festgelegt.",
      near: "Lokales Netzwerk",
      nearText:
        "Ein Gerät, das im lokalen Netzwerk bleibt, fragt keinen Server und sendet nichts darüber hinaus. Geräte anderswo warten, bis es wieder weiter reicht.",
      nearSwitch: "Im lokalen Netzwerk bleiben",
      nearLocked: "Festgelegt beim Start dieses Geräts, in seiner Einstellungsdatei oder durch die Verwaltung dieses Computers.",
      nearOn: "Ab jetzt verlässt nichts das lokale Netzwerk",
      nearOff: "Geräte anderswo werden wieder erreicht",
      farText: "Dieses Gerät geht, wohin das Netzwerk führt.",
      through: (proxy) => `Erreicht über den Proxy ${proxy}`,
      key: "Geräteschlüssel",
      keyring: "Im Schlüsselbund des Systems",
      file: "In einer Datei, die nur Sie lesen dürfen, weil dieses System keinen brauchbaren Schlüsselbund hat",
      id: "Geräte-ID",
      version: "Programmversion",
      keyboard: "Tastatur",
      keyboardText: (modifier) => {
        const key = modifier === "Ctrl" ? "Strg" : modifier;
        return `${key}+K findet alles beim Namen: Ordner, Geräte und was Sie tun können. ${key}+1 bis ${key}+5 führen zu Übersicht, Ordnern, Geräten, Netzwerk und Einstellungen. ${key}+P koppelt ein Gerät, ${key}+N fügt einen Ordner hinzu.`;
      },
    },
    appearance: {
      title: "Aussehen",
      text: "Dieses Fensters, auf diesem Computer.",
      system: { name: "Wie das System", text: "Hell oder dunkel, wie es das System ist." },
      light: { name: "Hell", text: "Immer, wie auch das System ist." },
      dark: { name: "Dunkel", text: "Immer, wie auch das System ist." },
    },
    language: {
      title: "Sprache",
      text: "Dieses Fensters, auf diesem Computer.",
      system: { name: "Wie das System", text: "Die erste Sprache Ihres Systems, die Towline spricht." },
    },
    serverState: {
      none: "Nicht eingestellt",
      connecting: "Verbindet",
      online: "Erreichbar",
      offline: "Nicht erreichbar",
      stopped: "Nicht verbunden",
    },
    confirm: { cancel: "Abbrechen" },
    notice: { label: "Probleme und Hinweise", dismiss: "Ausblenden", note: "Hinweis", problem: "Problem", alarm: "Alarm" },
    problem: {
      retry: (ms) => `In ${numbers.duration(ms)} wird es wieder versucht.`,
      noServer: {
        what: "Kein Signalserver ist eingestellt. Dieses Gerät trifft andere darum nur im lokalen Netzwerk.",
        todo: "Um sie auch anderswo zu treffen, geben Sie in den Einstellungen einen Server an, oder betreiben Sie dort einen.",
      },
      rebuilt: {
        what: "Der Index war beschädigt und wurde aus Ihren Ordnern neu aufgebaut.",
        todo: "Nichts wurde gelöscht. Der beschädigte liegt daneben.",
      },
      keyFile: {
        what: "Der Schlüssel dieses Geräts liegt in einer Datei, weil dieses System keinen brauchbaren Schlüsselbund hat.",
        todo: "Nur Sie dürfen sie lesen. Sicherer liegt er in einem Schlüsselbund, wenn Sie einen installieren.",
      },
      impostor: (peer) => ({
        what: `Wo ${peer} war, hat ein anderes Gerät geantwortet.`,
        todo: "Es wird nicht mit ihm verbunden. Wurde jener Computer neu eingerichtet, entfernen Sie ihn und koppeln ihn noch einmal. Sonst gibt sich jemand für ihn aus.",
      }),
      twin: {
        what: "Ein anderer Computer verwendet die Identität dieses Geräts. Darum wird nichts synchronisiert.",
        todo: "Einer wurde vom anderen kopiert. Beenden Sie Towline auf dem, der neu sein soll, führen Sie dort „towline identity new“ aus und koppeln Sie ihn noch einmal. Starten Sie Towline dann auf dem anderen neu.",
      },
      twins: (peer) => ({
        what: `Zwei Computer verwenden die Identität von ${peer}. Darum wird mit ihnen nichts synchronisiert.`,
        todo: "Einer wurde vom anderen kopiert. Beenden Sie Towline auf dem, der neu sein soll, führen Sie dort „towline identity new“ aus und koppeln Sie ihn noch einmal.",
      }),
      paused: (label) => `„${label}“ ist gestoppt.`,
      braked: (label, peer) => ({
        what: `${peer} will sehr viel in „${label}“ löschen oder überschreiben.`,
        todo: "So viel auf einmal wartet auf Sie.",
      }),
      show: "Ordner zeigen",
      showDevice: "Gerät zeigen",
      dismissed: "Hinweis ausgeblendet",
    },
    help: {
      title: "Wenn etwas schiefgeht",
      text: "Das Protokoll sagt, was dieses Gerät in den letzten sieben Tagen getan hat. Eine Datei mit seinem Zustand und seinem Protokoll hilft denen, die Ihnen helfen: Sie enthält keine Namen, Adressen, Pfade oder Schlüssel.",
      log: "Protokoll öffnen",
      save: "Datei für Hilfe speichern …",
      saveTitle: "Wo soll die Datei liegen?",
      saved: (path) => `Gespeichert als ${path}`,
    },
    toast: { label: "Meldungen" },
    unknownCode: (code) => ({
      what: `Etwas ist schiefgegangen (${code}).`,
      todo: "Versuchen Sie es noch einmal. Geschieht es wieder, aktualisieren Sie Towline.",
    }),
  };
}
