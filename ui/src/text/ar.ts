/**
 * Every word of the window, in Modern Standard Arabic.
 *
 * | English    | Arabic            | English       | Arabic                  |
 * | ---------- | ----------------- | ------------- | ----------------------- |
 * | device     | جهاز              | history       | السجل                   |
 * | pair       | إقران             | conflict      | تعارض                   |
 * | code       | رمز               | rule          | قاعدة                   |
 * | compare    | مطابقة            | sync          | مزامنة                  |
 * | link, line | اتصال، خط         | held back     | معلّق                    |
 * | path       | طريق (شبكة)، مسار (ملف) | brake    | مكبح                    |
 * | folder     | مجلد              | signal server | خادم الإشارة            |
 * | directory  | دليل              | key, keyring  | مفتاح، حلقة المفاتيح    |
 * | entry      | عنصر              | sealed        | مشفّر                    |
 * | invitation | دعوة              | relayed       | عبر وسيط                |
 * | tray       | علبة النظام       | quit          | إنهاء                   |
 */
import { arabicBrowser } from "./ar_browser";
import { arabicChecks } from "./ar_checks";
import { arabicCodes } from "./ar_codes";
import { arabicFolder } from "./ar_folder";
import { arabicManners } from "./ar_manners";
import { arabicNetwork } from "./ar_network";
import { apart, CHANGES, CONFLICTS, DEVICES, FILES, FOLDERS_OBJECT, ltr } from "./ar_pieces";
import { arabicServers } from "./ar_servers";
import { arabicTraffic } from "./ar_traffic";
import { arabicTray } from "./ar_tray";
import { arabicUpdates } from "./ar_updates";
import type { Words } from "./en";
import type { Numbers } from "./numbers";

/** The words, for the numbers of one locale. */
export function arabic(numbers: Numbers): Words {
  const files = (count: number) => numbers.plural(count, FILES);

  return {
    ...arabicFolder(numbers),
    ...arabicManners(numbers),
    browser: arabicBrowser,
    traffic: arabicTraffic(numbers),
    updates: arabicUpdates(numbers),
    network: arabicNetwork(numbers),
    checks: arabicChecks(numbers),
    codes: arabicCodes(),
    servers: arabicServers(),
    tray: arabicTray(),
    comma: "، ",
    gap: " ",
    app: "Towline",
    unknownDevice: "جهاز مجهول",
    skip: "الانتقال إلى المحتوى",
    keys: (modifier, key) => ltr(`${modifier}+${key}`),
    nav: {
      label: "القائمة الرئيسية",
      home: "الرئيسية",
      folders: "المجلدات",
      devices: "الأجهزة",
      network: "الشبكة",
      settings: "الإعدادات",
    },
    palette: {
      open: "بحث",
      label: "الانتقال أو البدء",
      hint: "مجلد، جهاز، ما تريد فعله…",
      kinds: { action: "بدء", screen: "شاشة", invitation: "دعوة", folder: "مجلد", device: "جهاز" },
      found: (count) =>
        numbers.plural(count, {
          zero: "لا نتائج",
          one: "نتيجة واحدة",
          two: "نتيجتان",
          few: "# نتائج",
          many: "# نتيجة",
          other: "# نتيجة",
        }),
      none: "لا شيء بهذا الاسم. يكفي جزء من اسم مجلد أو جهاز.",
      rest: (count) =>
        `${numbers.plural(count, {
          zero: "لا نتائج أخرى",
          one: "نتيجة أخرى",
          two: "نتيجتان أخريان",
          few: "# نتائج أخرى",
          many: "# نتيجة أخرى",
          other: "# نتيجة أخرى",
        })}. اكتب حرفًا آخر.`,
    },
    headline: {
      allInSync: "كل شيء متزامن",
      alone: "لا اتصال بحاسوب آخر بعد",
      noFolders: (peers) => `أُقرن ${numbers.plural(peers, DEVICES)}، ولا مجلدات بعد`,
      nobodyHere: "بانتظار أجهزتك الأخرى",
      scanning: "جارٍ البحث عن تغييرات",
      syncing: (count) => `تجري مزامنة ${numbers.plural(count, FOLDERS_OBJECT)}`,
      waiting: (count) => `${numbers.plural(count, CHANGES)} قيد الانتظار`,
      onlyHere: "مجلداتك هنا فقط حتى الآن",
      attention: (count) =>
        numbers.plural(count, {
          zero: "لا شيء يحتاج إليك",
          one: "أمر واحد يحتاج إليك",
          two: "أمران يحتاجان إليك",
          few: "# أمور تحتاج إليك",
          many: "# أمرًا يحتاج إليك",
          other: "# أمر يحتاج إليك",
        }),
      conflicts: (count) =>
        numbers.plural(count, {
          zero: "لا تعارضات تحتاج إليك",
          one: "تعارض واحد يحتاج إليك",
          two: "تعارضان يحتاجان إليك",
          few: "# تعارضات تحتاج إليك",
          many: "# تعارضًا يحتاج إليك",
          other: "# تعارض يحتاج إليك",
        }),
      paused: "مجلداتك متوقفة مؤقتًا",
      speed: (speed) => numbers.speed(speed),
      left: (ms) => `يتبقى ${numbers.duration(ms)}`,
    },
    start: {
      starting: "جارٍ البدء…",
      failed: "تعذّر بدء Towline",
      ended: "توقف هذا الجهاز",
      endedWhat: "أُوقف البرنامج الذي خلف هذه النافذة. ملفاتك في مكانها.",
      again: "البدء من جديد",
    },
    welcome: {
      title: "خط مباشر بين حواسيبك",
      lead: "اكتب ستة محارف مرة واحدة، ومن بعدها تبقى مجلداتك متطابقة على الحاسوبين.",
      name: "ما اسم هذا الحاسوب؟",
      nameHint: "أجهزتك الأخرى ترى هذا الاسم.",
      pair: "إقران جهاز",
      enter: "إدخال رمز",
      keyring: "مفتاح هذا الجهاز محفوظ في حلقة مفاتيح النظام.",
      file: "لا حلقة مفاتيح صالحة في هذا النظام، لذا يُحفظ مفتاح هذا الجهاز في ملف لا يقرؤه سواك.",
    },
    home: {
      title: "الرئيسية",
      thisDevice: "هذا الجهاز",
      linesLabel: "أجهزتك وكيفية اتصالها",
      emptyTitle: "لا أحد على الطرف الآخر بعد",
      emptyText: "أقرن حاسوبًا آخر: يعرض أحدهما ستة محارف، وتكتبها على الآخر.",
      pair: "إقران جهاز",
      foldersTitle: "المجلدات",
      noFoldersTitle: "شارك أول مجلد لك",
      noFoldersText: "اختر مجلدًا هنا وادعُ جهازًا، ومن بعدها يبقى المجلدان متطابقين.",
      addFolder: "إضافة مجلد",
      allFolders: "كل المجلدات",
    },
    invitation: {
      label: "الدعوات",
      title: (peer, folder) => `${apart(peer)} يشارك معك «${apart(folder)}»`,
      text: "اختر مكانه على هذا الحاسوب. لا يُنسخ شيء قبل أن تقبل.",
      where: "أين تضعه؟",
      whereHint: "يُنشأ مجلد هناك إن لم يكن موجودًا.",
      accept: "قبول",
      choose: "اختيار المكان",
    },
    path: {
      choose: "اختيار…",
      placeholder: "/home/you/Pictures",
      mustBeFull: "اكتب المسار كاملًا، من بداية القرص.",
    },
    folders: {
      title: "المجلدات",
      add: "إضافة مجلد",
      emptyTitle: "لا مجلدات بعد",
      emptyText: "أضف مجلدًا من هذا الحاسوب وادعُ جهازًا، أو اقبل دعوة حين تصل إلى هنا.",
      open: "فتح المجلد",
      openShort: "فتح",
      openOf: (label) => `فتح ${apart(label)} في مدير الملفات`,
      pauseOf: (label) => `إيقاف ${apart(label)} مؤقتًا`,
      resumeOf: (label) => `استئناف ${apart(label)}`,
      rescan: "البحث عن تغييرات",
      rescanned: "جارٍ البحث عن تغييرات",
      stop: "إيقاف المزامنة",
      stopped: (label) => `لم يعد «${apart(label)}» يُزامَن هنا`,
      stopTitle: (label) => `هل تريد إيقاف مزامنة «${apart(label)}» هنا؟`,
      stopText: "تبقى الملفات على هذا الحاسوب وعلى غيره. لن يتابع هذا الجهاز التغييرات بعد ذلك.",
      back: "كل المجلدات",
      contents: (count, directories, bytes) => {
        const where =
          directories > 0
            ? ` في ${numbers.plural(directories, {
                zero: "لا أدلة",
                one: "دليل واحد",
                two: "دليلين",
                few: "# أدلة",
                many: "# دليلًا",
                other: "# دليل",
              })}`
            : "";
        return `${files(count)}${where}، ${numbers.bytes(bytes)}`;
      },
      contentsShort: (count, bytes) => `${files(count)}، ${numbers.bytes(bytes)}`,
      where: "المكان",
      holds: "المحتوى",
      fetched: "المستلم",
      fetchedText: (bytes, reused) =>
        reused > 0
          ? `${numbers.bytes(bytes)} منذ البدء، و${numbers.bytes(reused)} وُجدت هنا من قبل`
          : `${numbers.bytes(bytes)} منذ البدء`,
      peersTitle: "الأجهزة",
      nobody: "هذا المجلد على هذا الجهاز فقط. ادعُ جهازًا آخر:",
      inviteMore: "دعوة جهاز آخر:",
      invite: (peer) => `دعوة ${apart(peer)}`,
      invited: (peer) => `دُعي ${apart(peer)}`,
      noPeers: "أقرن جهازًا أولًا، ثم يمكنك دعوته.",
    },
    folderState: {
      opening: "جارٍ الفتح",
      paused: "متوقف",
      paused_by_person: "متوقف مؤقتًا",
      braked: "بانتظارك",
      conflicts: (count) => numbers.plural(count, CONFLICTS),
      scanning: "جارٍ البحث عن تغييرات",
      syncing: "تجري المزامنة",
      waiting: "قيد الانتظار",
      in_sync: "متزامن",
      waitingText: (count) =>
        `${numbers.plural(count, CHANGES)} ليست على أي جهاز متصل، أو معلّقة هنا. يُستأنف العمل تلقائيًا.`,
      only: "هنا فقط حتى الآن",
      nobodyConnected: "لا أحد متصل",
    },
    folderPeer: {
      invited: "دُعي ولم يقبل بعد",
      connected: "متصل",
      away: "غير موجود",
    },
    progress: {
      label: (folder) => `تقدم ${apart(folder)}`,
      left: (count) => `يتبقى ${numbers.plural(count, CHANGES)}`,
      bytes: (bytes) => `${numbers.bytes(bytes)} للجلب`,
      files: (done) => `اكتمل ${files(done)}`,
    },
    addFolder: {
      title: "إضافة مجلد",
      lead: "يبقى في مكانه. الأجهزة التي تدعوها تحصل على نسختها الخاصة.",
      where: "أي مجلد؟",
      label: "ما اسمه؟",
      labelHint: "اسم المجلد نفسه، ما لم تفضّل غيره.",
      peers: "من يشارك؟",
      peersHint: "كل جهاز يقرر بنفسه هل يأخذه وأين يضعه.",
      noPeers: "لم يُقرن أي جهاز بعد. يمكنك إضافة المجلد الآن ودعوة غيرك لاحقًا.",
      add: "إضافة",
      cancel: "إلغاء",
      added: (label) => `أُضيف «${apart(label)}»`,
      missing: (label, peer) => `أُضيف «${apart(label)}» هنا، لكن ${apart(peer)} لم يُدعَ بعد.`,
      again: "إعادة الدعوة",
      show: "عرض المجلد",
    },
    accept: {
      title: (label) => `المشاركة في «${apart(label)}»`,
      from: (peer) => `يشاركه ${apart(peer)}`,
      gone: "لم تعد هذه الدعوة موجودة. اطلب دعوة جديدة.",
    },
    devices: {
      title: "الأجهزة",
      pair: "إقران جهاز",
      emptyTitle: "لا أجهزة أخرى بعد",
      emptyText: "أقرن جهازًا: ستة محارف وأقل من دقيقة.",
      rename: "إعادة تسمية",
      places: "العناوين",
      place: (address) => `يُجرَّب أيضًا على ${ltr(address)}`,
      placeSet: (address) => `يُجرَّب أيضًا على ${ltr(address)}، كما حُدّد في ملف`,
      placeLabel: "مكان هذا الجهاز",
      placeExample: "nas.example:41641",
      placeHint:
        "اسم مضيف ومنفذ UDP، للشبكات التي لا تجد فيها الأجهزة بعضها بعضًا. العنوان الخاطئ لا يضر: لا يُسمح بالدخول إلا للجهاز نفسه.",
      addPlace: "إضافة",
      removePlace: (address) => `إزالة ${ltr(address)}`,
      placesDone: "تم",
      renameLabel: (peer) => `اسم جديد لـ ${apart(peer)}`,
      save: "حفظ",
      compare: "مطابقة",
      remove: "إزالة",
      removeTitle: (peer) => `هل تريد إزالة ${apart(peer)}؟`,
      removeText:
        "لن يتمكن من الاتصال بعد ذلك، ولن تتبع المجلدات المشتركة بعضها بعضًا. تبقى الملفات على الحاسوبين. للتراجع عن ذلك، أقرنه من جديد.",
      verified: "تمت المطابقة",
      unverified: "لم تتم المطابقة بعد",
      twins: "يستخدم حاسوبان هذه الهوية، فلا يُزامَن معهما شيء",
      shares: (labels) => `يشارك ${numbers.list(labels.map(apart))}`,
      sharesNothing: "لا يشارك أي مجلد بعد",
      traffic: (received, sent) => `استُلم ${numbers.bytes(received)}، وأُرسل ${numbers.bytes(sent)}`,
    },
    link: {
      away: "غير موجود",
      connecting: "جارٍ الاتصال",
      lan: "متصل عن قرب",
      direct: "متصل مباشرة",
      turn: "عبر خادم TURN، مشفّر",
      relayed: "عبر وسيط، مشفّر",
      impostor: "أجاب طرف آخر",
      rtt: (ms) => numbers.milliseconds(ms),
      retry: (ms) => `المحاولة التالية بعد ${numbers.duration(ms)}`,
      address: (address) => `على ${ltr(address)}`,
    },
    pair: {
      title: "إقران جهاز",
      back: "الأجهزة",
      showTitle: "عرض رمز",
      showText: "اكتبه على الحاسوب الآخر، أو اقرأه لمن يجلس أمامه.",
      show: "عرض رمز",
      opening: "جارٍ طلب رمز…",
      codeLabel: "رمزك",
      valid: (clock) => `صالح لمدة ${clock}`,
      expiring: "انتهت صلاحية هذا الرمز.",
      qrLabel: "الدعوة نفسها كرمز QR",
      copyCode: "نسخ الرمز",
      copyLink: "نسخ الرابط",
      newCode: "رمز جديد",
      cancel: "إلغاء",
      codeCopied: "نُسخ الرمز",
      linkCopied: "نُسخ الرابط. يستطيع كل من يملكه خلال خمس دقائق أن يقترن بك.",
      copyFailed: { what: "النسخ غير ممكن هنا.", todo: "حدّد الرمز وانسخه يدويًا." },
      enterTitle: "إدخال رمز",
      nearbyOnly: "لا خادم إشارة، لذا يجب أن يكون الحاسوب الآخر على الشبكة نفسها.",
      enterText: "يعرضه الحاسوب الآخر ضمن «إقران جهاز».",
      enterLabel: "رمز الجهاز الآخر",
      enter: "اتصال",
      typed: (count, all) => `${numbers.count(count)} من ${numbers.count(all)} محارف`,
      clear: "مسح",
      linkPasted: "رابط إقران",
      linkOpened: "هل تريد الإقران بهذا الرابط؟",
      linkOpenedText: "أعطاك أحدهم هذا الرابط. لا تتصل إلا إذا كنت تعرف من هو وتريد ذلك الآن.",
      linkNearby: "يلتقي بالجهاز الآخر على هذه الشبكة.",
      linkServer: (host) => `يلتقي بالجهاز الآخر على ${ltr(host)}. لا تتابع إلا إذا كنت تثق بهذا الخادم.`,
      rejected: (letter) =>
        `لا يحتوي الرمز على «${apart(letter)}». يتكون من حروف لاتينية عدا ${ltr("I")} و${ltr("O")}، ومن الأرقام من 2 إلى 9.`,
      tooLong: "لا يزيد الرمز على ثمانية محارف.",
      joining: "جارٍ البحث عن الجهاز الآخر…",
      proving: "جارٍ التأكد من أن كليهما يعرف الرمز…",
      pairedWith: (peer) => `تم الإقران مع ${apart(peer)}`,
      compareTitle: "هل تعرض الشاشتان الشيء نفسه؟",
      compareText: "لو دخل أحد بينكما لاختلفت هذه الصور. طابقاها بالهاتف أو عبر الغرفة.",
      match: "متطابقة",
      differ: "مختلفة",
      later: "المطابقة لاحقًا",
      differTitle: "هل تريد إنهاء الثقة بهذا الجهاز؟",
      differText: (peer) => `إن اختلفت الصور فقد يكون هناك من يقف بينك وبين ${apart(peer)}. يُلغى الإقران ولا يُشارَك شيء.`,
      differConfirm: "إنهاء الثقة",
      undone: {
        what: "أُلغي الإقران.",
        todo: "أعد الإقران برمز جديد، ويفضَّل على شبكة أخرى.",
      },
      matched: "تمت المطابقة. هذا الخط لك وحدك.",
      shares: (peer) => `حين يشارك ${apart(peer)} مجلدًا معك يظهر هنا.`,
      next: "التالي",
      share: "مشاركة مجلد",
      done: "تم",
    },
    compare: {
      back: "الأجهزة",
      title: (peer) => `المطابقة مع ${apart(peer)}`,
    },
    settings: {
      title: "الإعدادات",
      name: "اسم هذا الجهاز",
      nameHint: "أجهزتك الأخرى ترى هذا الاسم.",
      save: "حفظ",
      saved: "حُفظ الاسم",
      serverHint: "يعرّف أجهزتك بعضها ببعض، ويمرّر الحزم المشفّرة حيث لا طريق مباشرًا. لا يستطيع قراءتها.",
      localOnly: "لا يوجد: لا شيء يغادر الشبكة المحلية",
      serverLocked: "حدّد مسؤول هذا الحاسوب خوادم الإشارة.",
      near: "الشبكة المحلية",
      nearText:
        "الجهاز الذي يبقى ضمن الشبكة المحلية لا يسأل أي خادم ولا يرسل شيئًا خارجها. الأجهزة في أماكن أخرى تنتظر حتى يتجاوزها من جديد.",
      nearSwitch: "البقاء ضمن الشبكة المحلية",
      nearLocked: "حُدّد عند بدء هذا الجهاز، أو في ملف إعداداته، أو من مسؤول هذا الحاسوب.",
      nearOn: "من الآن لا شيء يغادر الشبكة المحلية",
      nearOff: "يمكن الوصول إلى الأجهزة في أماكن أخرى من جديد",
      farText: "يذهب هذا الجهاز حيثما تصل الشبكة.",
      through: (proxy) => `يتم الوصول إليه عبر الوكيل ${ltr(proxy)}`,
      key: "مفتاح الجهاز",
      keyring: "في حلقة مفاتيح النظام",
      file: "في ملف لا يقرؤه سواك، لعدم وجود حلقة مفاتيح صالحة في هذا النظام",
      id: "معرّف الجهاز",
      version: "الإصدار",
      keyboard: "لوحة المفاتيح",
      keyboardText: (modifier) => {
        const key = (name: string) => ltr(`${modifier}+${name}`);
        return `${key("K")} يجد كل شيء باسمه: المجلدات والأجهزة وما يمكنك فعله. من ${key("1")} إلى ${key("5")} للانتقال إلى الرئيسية والمجلدات والأجهزة والشبكة والإعدادات. ${key("P")} لإقران جهاز، و${key("N")} لإضافة مجلد.`;
      },
    },
    appearance: {
      title: "المظهر",
      text: "لهذه النافذة على هذا الحاسوب.",
      system: { name: "النظام", text: "فاتح أو داكن كما هو النظام." },
      light: { name: "فاتح", text: "دائمًا، أيًّا كان النظام." },
      dark: { name: "داكن", text: "دائمًا، أيًّا كان النظام." },
    },
    language: {
      title: "اللغة",
      text: "لهذه النافذة على هذا الحاسوب.",
      system: { name: "النظام", text: "أول لغة من لغات نظامك يدعمها Towline." },
    },
    serverState: {
      none: "غير محدّد",
      connecting: "جارٍ الاتصال",
      online: "متصل",
      offline: "لا يمكن الوصول إليه",
      stopped: "غير متصل",
    },
    confirm: { cancel: "إلغاء" },
    notice: { label: "المشكلات والملاحظات", dismiss: "إخفاء", note: "ملاحظة", problem: "مشكلة", alarm: "إنذار" },
    problem: {
      retry: (ms) => `المحاولة التالية بعد ${numbers.duration(ms)}.`,
      noServer: {
        what: "لم يُحدَّد خادم إشارة، لذا يلتقي هذا الجهاز بغيره على الشبكة المحلية فقط.",
        todo: "للالتقاء في أماكن أخرى أيضًا، سمِّ خادمًا في الإعدادات، أو شغّل خادمًا هناك.",
      },
      rebuilt: {
        what: "كان الفهرس تالفًا وأُعيد بناؤه من مجلداتك.",
        todo: "لم يُحذف شيء. الفهرس التالف محفوظ بجانبه.",
      },
      keyFile: {
        what: "مفتاح هذا الجهاز في ملف، لعدم وجود حلقة مفاتيح صالحة في هذا النظام.",
        todo: "لا يقرؤه سواك. ثبّت حلقة مفاتيح ليكون أكثر أمانًا.",
      },
      impostor: (peer) => ({
        what: `أجاب جهاز آخر حيث كان ${apart(peer)}.`,
        todo: "لم يُتصل به. إن كان ذلك الحاسوب قد أُعدّ من جديد، فأزله وأقرنه مرة أخرى. وإلا فهناك من ينتحل هويته.",
      }),
      twin: {
        what: "يستخدم حاسوب آخر هوية هذا الجهاز، فلا يُزامَن شيء.",
        todo: `نُسخ أحدهما من الآخر. أنهِ Towline على الذي ينبغي أن يكون جديدًا، وشغّل «${ltr("towline identity new")}» عليه ثم أقرنه من جديد. بعدها ابدأ Towline من جديد على الآخر.`,
      },
      twins: (peer) => ({
        what: `يستخدم حاسوبان هوية ${apart(peer)}، فلا يُزامَن معهما شيء.`,
        todo: `نُسخ أحدهما من الآخر. أنهِ Towline على الذي ينبغي أن يكون جديدًا، وشغّل «${ltr("towline identity new")}» عليه ثم أقرنه من جديد.`,
      }),
      paused: (label) => `توقف «${apart(label)}».`,
      braked: (label, peer) => ({
        what: `يريد ${apart(peer)} حذف الكثير أو استبداله في «${apart(label)}».`,
        todo: "تغيير بهذا الحجم دفعة واحدة ينتظرك.",
      }),
      show: "عرض المجلد",
      showDevice: "عرض الجهاز",
      dismissed: "أُخفيت الملاحظة",
    },
    help: {
      title: "عند حدوث مشكلة",
      text: "يقول السجل التقني ما فعله هذا الجهاز في الأيام السبعة الأخيرة. ملف بحالته وسجله يعين من يساعدك: ليس فيه أسماء ولا عناوين ولا مسارات ولا مفاتيح.",
      log: "فتح السجل التقني",
      save: "حفظ ملف للمساعدة…",
      saveTitle: "أين يوضع الملف؟",
      saved: (path) => `حُفظ باسم ${ltr(path)}`,
    },
    toast: { label: "الرسائل" },
    unknownCode: (code) => ({
      what: `حدث خطأ ما (${ltr(code)}).`,
      todo: "حاول مرة أخرى. إن تكرر ذلك فحدّث Towline.",
    }),
  };
}
