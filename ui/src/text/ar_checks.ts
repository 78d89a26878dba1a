/** The words of what the doctor finds, in Arabic: what it is, and what to do where it could be better. */
import { ltr } from "./ar_pieces";
import type { englishChecks } from "./en_checks";
import type { Numbers } from "./numbers";

/** The words, for the numbers of one locale. */
export function arabicChecks(numbers: Numbers): ReturnType<typeof englishChecks> {
  const showing = (codes: number) =>
    codes === 0
      ? ""
      : `، ${numbers.plural(codes, {
          zero: "ولا يعرض أي منها رمزًا",
          one: "يعرض واحد منها رمزًا",
          two: "يعرض اثنان منها رمزًا",
          few: "يعرض # منها رمزًا",
          many: "يعرض # منها رمزًا",
          other: "يعرض # منها رمزًا",
        })}`;
  const others = (count: number, codes: number) =>
    `${numbers.plural(count, {
      zero: "لا يُسمع من أي جهاز آخر",
      one: "يُسمع من جهاز آخر واحد",
      two: "يُسمع من جهازين آخرين",
      few: "يُسمع من # أجهزة أخرى",
      many: "يُسمع من # جهازًا آخر",
      other: "يُسمع من # جهاز آخر",
    })}${showing(codes)}.`;

  return {
    title: "هل كل شيء كما ينبغي؟",
    lead: "يفحص كل ما يحتاج إليه الاتصال. لا يُرسل شيء لمعرفة ذلك.",
    check: "فحص الاتصال",
    again: "الفحص من جديد",
    checking: "جارٍ الفحص…",
    copy: "نسخ التقرير",
    copied: "نُسخ التقرير. ليس فيه عناوين ولا أسماء ولا أماكن.",
    copyFailed: { what: "النسخ غير ممكن هنا.", todo: "حدّد القائمة وانسخها يدويًا." },
    reportTitle: (version, moment) => `Towline ${ltr(version)}، فحص الاتصال، ${moment}`,
    verdict: { fine: "جيد", fair: "يمكن تحسينه", bad: "لا يعمل" },
    allFine: "كل شيء كما ينبغي.",
    summary: (bad, fair) =>
      [
        bad > 0
          ? numbers.plural(bad, {
              zero: "كل شيء يعمل",
              one: "أمر واحد لا يعمل",
              two: "أمران لا يعملان",
              few: "# أمور لا تعمل",
              many: "# أمرًا لا يعمل",
              other: "# أمر لا يعمل",
            })
          : "",
        fair > 0
          ? numbers.plural(fair, {
              zero: "لا شيء يمكن تحسينه",
              one: "أمر واحد يمكن تحسينه",
              two: "أمران يمكن تحسينهما",
              few: "# أمور يمكن تحسينها",
              many: "# أمرًا يمكن تحسينه",
              other: "# أمر يمكن تحسينه",
            })
          : "",
      ]
        .filter((text) => text !== "")
        .join("، ")
        .concat("."),
    list: "نتائج الفحص",
    unknown: (check) => ({
      what: `شيء لا تعرفه هذه النافذة (${ltr(check)}).`,
      todo: "حدّث Towline.",
    }),
    server: {
      none: { what: "لم يُحدَّد خادم إشارة.", todo: "به تُكتشف الأجهزة على الشبكات الأخرى: سمِّ خادمًا في الإعدادات، أو شغّل خادمًا هناك." },
      online: { what: "خادم الإشارة متصل.", todo: "" },
      connecting: { what: "جارٍ الاتصال بخادم الإشارة.", todo: "افحص من جديد بعد بضع ثوانٍ." },
      clockToo: "انظر أيضًا إلى ساعة هذا الحاسوب: إن كانت خاطئة فلن تبدو أي شهادة صالحة.",
    },
    lanOnly: { what: "يبقى هذا الجهاز ضمن الشبكة المحلية، لذا لم يُفحص شيء خارجها.", todo: "" },
    udp: {
      seen: { what: "يخرج UDP ويعود.", todo: "" },
      asking: { what: "لا يُعرف بعد هل يمر UDP.", todo: "افحص من جديد بعد بضع ثوانٍ." },
      not_asked: {
        what: "لا يُعرف هل يمر UDP: لم يُعثر على خادم فيه STUN.",
        todo: "تحتاج الطرق المباشرة خارج الشبكة المحلية إلى STUN. اطلب من مسؤول الخادم تفعيله.",
      },
      silent: {
        what: "لا يمر UDP.",
        todo: "يسقطه جدار حماية، فيمر كل شيء عبر الخادم. اطلب ممن يدير هذه الشبكة أن يسمح بخروج UDP.",
      },
    },
    nat: {
      open: { what: "لا موجّه يترجم عنوان هذا الجهاز.", todo: "" },
      same: { what: "يبقي الموجّه منفذًا واحدًا تجاه الجميع: تُكتشف الطرق المباشرة.", todo: "" },
      varies: {
        what: "يستخدم الموجّه منفذًا مختلفًا تجاه كل عنوان (NAT متماثل).",
        todo: `تستغرق الطرق المباشرة وقتًا أطول، ولا طريق إلى جهاز خلف موجّه مثله. شغّل Towline مع ${ltr("--port")} ووجّه ذلك المنفذ في الموجّه.`,
      },
      unknown: {
        what: "لا يُعرف ما يفعله الموجّه بالمنافذ.",
        todo: "يتبين ذلك حين يذكر خادم الإشارة عنواني STUN اثنين؛ اسأل مسؤوله.",
      },
    },
    mapping: {
      given: { what: "يوصل الموجّه منفذًا خاصًا إلى هذا الجهاز.", todo: "" },
      none: { what: "لا يمنح الموجّه منفذًا عند الطلب.", todo: "إن كان يستطيع ذلك فاسمح في إعداداته بـ UPnP أو NAT-PMP أو PCP." },
      off: { what: "لا يُطلب من الموجّه منفذ: أوقف أحدهم ذلك.", todo: `شغّل Towline من دون ${ltr("--no-port-mapping")} إن كان الطلب مسموحًا.` },
    },
    mdns: {
      off: {
        what: "لا يُعلَن عن هذا الجهاز على الشبكة المحلية.",
        todo: `بسبب ${ltr("DISABLE_MDNS")} أو ${ltr("--no-mdns")}. عندها تلتقي الأجهزة القريبة عبر الخادم فقط؛ شغّل Towline من دونه لتغيير ذلك.`,
      },
      heard: (count, codes) => ({ what: `الإعلانات على الشبكة المحلية تعمل. ${others(count, codes)}`, todo: "" }),
      waiting: (count, codes) => ({
        what: `أُعلن على الشبكة المحلية قبل لحظة. ${others(count, codes)}`,
        todo: "افحص من جديد بعد بضع ثوانٍ.",
      }),
      silent: (count, codes) => ({
        what: `إعلان هذا الجهاز على الشبكة المحلية لا يعود. ${others(count, codes)}`,
        todo: "لا شبكة تعمل، أو يسقطه جدار حماية على هذا الحاسوب: اسمح بدخول منفذ UDP رقم 5353 وخروجه، وبالبث المتعدد.",
      }),
      port_taken: {
        what: "يحتكر برنامج آخر منفذ UDP رقم 5353، فلا تُكتشف الأجهزة القريبة.",
        todo: "أنهِ ذلك البرنامج أو دعه يشارك المنفذ، ثم ابدأ Towline من جديد.",
      },
    },
    paths: {
      what: (connected, relayed) =>
        connected === 0
          ? "لا جهاز متصل الآن."
          : relayed === 0
            ? `${numbers.plural(connected, {
                zero: "لا جهاز متصل",
                one: "جهاز متصل واحد",
                two: "جهازان متصلان",
                few: "# أجهزة متصلة",
                many: "# جهازًا متصلًا",
                other: "# جهاز متصل",
              })} بطريق مباشر.`
            : `${numbers.count(relayed)} من ${numbers.plural(connected, {
                zero: "لا جهاز متصل",
                one: "جهاز متصل واحد",
                two: "جهازين متصلين",
                few: "# أجهزة متصلة",
                many: "# جهازًا متصلًا",
                other: "# جهاز متصل",
              })} عبر الخادم فقط.`,
      todo: "السبب مذكور عند كل جهاز أدناه.",
    },
    keyring: {
      keyring: { what: "مفتاح الجهاز في حلقة مفاتيح النظام.", todo: "" },
      file: {
        what: "مفتاح الجهاز في ملف لا يقرؤه سواك.",
        todo: `هذا مناسب لخادم. على حاسوب مكتبي، شغّل حلقة مفاتيح (${ltr("gnome-keyring")}، ${ltr("KWallet")}) قبل إنشاء جهاز.`,
      },
    },
    clock: {
      unknown: { what: "لا يُعرف هل الساعة صحيحة: لم يخبر أي خادم إشارة بوقته.", todo: "تُقارن حالما يجيب خادم." },
      right: { what: "تتفق الساعة مع ساعة خادم الإشارة في حدود دقيقة.", todo: "" },
      wrong: (ms, isAhead) => ({
        what: `${isAhead ? "تسبق الساعة ساعة" : "تتأخر الساعة عن ساعة"} خادم الإشارة بمقدار ${numbers.duration(ms)}.`,
        todo: "حين يتغير ملف على حاسوبين، يحتفظ صاحب الوقت الأحدث باسمه: مع ساعة خاطئة يكون ذلك هو الخطأ، وقد تبدو الشهادات غير صالحة. اضبط الساعة، أو دع النظام يضبطها.",
      }),
    },
    disk: {
      room: (available, total) => ({
        what: `المتاح على أحد الأقراص ${numbers.bytes(available)} من ${numbers.bytes(total)}.`,
        todo: "أفسح مكانًا: تُكتب الملفات بجانب القديمة قبل أن تحل محلها.",
      }),
      unknown: { what: "أحد الأقراص لا يخبر بمساحته.", todo: "انظر هل هو موجود ويمكن قراءته." },
    },
    watches: (directories, limit) => ({
      what: `${numbers.plural(directories, {
        zero: "لا أدلة",
        one: "دليل واحد",
        two: "دليلان",
        few: "# أدلة",
        many: "# دليلًا",
        other: "# دليل",
      })} للمراقبة؛ يسمح النظام بـ ${numbers.count(limit)}.`,
      todo: `ارفع ${ltr("fs.inotify.max_user_watches")}، وإلا فلن تُكتشف التغييرات إلا بفحص كل شيء.`,
    }),
    folder: "أحد المجلدات متوقف.",
  };
}
