/** The words for updates of the app, in Arabic. */
import { ltr } from "./ar_pieces";
import type { englishUpdates } from "./en_updates";
import type { Numbers } from "./numbers";

/** The words, for the numbers of one locale. */
export function arabicUpdates(numbers: Numbers): ReturnType<typeof englishUpdates> {
  const again = "تحقق مرة أخرى. وإذا بقي الأمر كذلك فاحصل على Towline من جديد من المصدر الذي أخذته منه.";
  const named = (version: string) => ltr(`Towline ${version}`);

  return {
    title: "التحديثات",
    text: "يبحث Towline عن إصدار جديد عند بدء تشغيله ومرة كل يوم. ولا يخبر أحدًا من أنت ولا أي إصدار لديك.",
    runs: (version) => `هذا ${named(version)}.`,
    answered: (ms) => `آخر سؤال ${numbers.moment(ms)}`,
    never: "لم يُسأل بعد",
    state: {
      idle: "محدَّث",
      checking: "يجري البحث عن إصدار جديد",
      available: (version) => `يتوفر ${named(version)}`,
      downloading: (version) => `يجري جلب ${named(version)}`,
      ready: (version) => `${named(version)} جاهز`,
      installing: (version) => `يجري تثبيت ${named(version)}`,
    },
    readyText: "يُثبَّت عندما تنهي Towline. وما تجري كتابته يكتمل أولًا.",
    nowText: "يُثبَّت فور وصوله. وما تجري كتابته يكتمل أولًا، ثم يبدأ Towline من جديد.",
    quitText: "يُثبَّت عندما تنهي Towline.",
    installingText: "مجلداتك ساكنة الآن. يبدأ Towline من جديد بعد لحظة.",
    progress: "تقدم التحديث",
    got: (got, total) => (total === null ? numbers.bytes(got) : `${numbers.bytes(got)} من ${numbers.bytes(total)}`),
    news: (version) => `الجديد في ${ltr(version)}`,
    noNews: "لم يذكر الناشر شيئًا عنه.",
    check: "التحقق الآن",
    now: "التثبيت والبدء من جديد",
    quit: "التثبيت عند إنهاء Towline",
    show: "عرض",
    notice: {
      available: (version) => ({
        what: `يتوفر ${named(version)}.`,
        todo: "اطلع على الجديد، واختر متى يُثبَّت.",
      }),
      ready: (version) => ({
        what: `${named(version)} جاهز.`,
        todo: "يُثبَّت عندما تنهي Towline، أو فورًا إن شئت.",
      }),
    },
    channel: "أي الإصدارات",
    channels: {
      stable: { name: "المستقرة", text: "جربها آخرون من قبل." },
      beta: { name: "التجريبية", text: "الجديد أبكر، ومعه أخطاؤه." },
    },
    pinned: (version) => `لا تُثبَّت إلا الإصدارات التي تبدأ بـ ${ltr(version)}.`,
    automatic: "جلب الإصدارات الجديدة وتثبيتها عند إنهاء Towline",
    automaticText: "لا يحدث ذلك والملفات في الانتظار، ولا على شبكة محسوبة بالحجم.",
    locked: {
      administrator: "حدّده مسؤول هذا الحاسوب.",
      file: "محدّد في ملف إعدادات هذا الجهاز.",
    },
    place: {
      replaced: "",
      package:
        "ثُبِّت Towline على شكل حزمة. يتطلب تثبيت إصدار جديد كلمة مرور المسؤول؛ ومن دونها استخدم مدير الحزم في نظامك.",
      read_only:
        "يقع Towline في مكان لا يحق لك الكتابة فيه، فلا يستطيع استبدال نفسه. انقله إلى دليل لك، أو اسأل من وضعه هناك.",
    },
    elsewhere: `يعمل محرك هذا الجهاز في برنامج آخر (${ltr("towline up")}). لا يمسه تحديث هذه النافذة: حدّث ذلك البرنامج أيضًا وشغّله من جديد.`,
    off: {
      development: {
        what: "ليس لهذه النسخة تحديثات.",
        todo: "بُنيت من الشيفرة المصدرية. اجلب شيفرة جديدة وابنِ من جديد.",
      },
      rule: { what: "التحديثات معطّلة.", todo: "" },
      unreadable: {
        what: "لا يُسأل أحد عن التحديثات لأن ملف إعدادات لا يمكن قراءته.",
        todo: `صحّح فيه سطر ${ltr("update")} أو احذفه.`,
      },
      local_network: {
        what: "لا يُسأل أحد عن التحديثات لأن هذا الجهاز يبقى داخل الشبكة المحلية.",
        todo: "عطّل ذلك لتبحث عن تحديث.",
      },
      starting: { what: "يبحث Towline عن إصدار جديد بعد لحظة.", todo: "" },
    },
    before: "لم يُثبَّت التحديث الأخير.",
    codes: {
      unreachable: {
        what: "لا يمكن الوصول إلى ناشر التحديثات.",
        todo: "تحقق من الشبكة وحاول مرة أخرى. ويحاول Towline من تلقاء نفسه أيضًا.",
      },
      nothing_there: { what: "ليس لدى الناشر إصدارات من هذا النوع.", todo: "اختر النوع الآخر، أو انتظر." },
      manifest_signature: {
        what: "أجاب غير ناشر Towline، أو غُيِّر الجواب في الطريق.",
        todo: `لم يُثبَّت شيء. ${again}`,
      },
      manifest_malformed: { what: "جواب الناشر غير مفهوم.", todo: again },
      signature: {
        what: "ما جُلب ليس ما وقّعه ناشر Towline.",
        todo: `أُهمل ولم يُثبَّت شيء. ${again}`,
      },
      signed_version: {
        what: "ما جُلب إصدار غير الذي أُعلن عنه.",
        todo: `أُهمل ولم يُثبَّت شيء. ${again}`,
      },
      download: {
        what: "لم يصل الإصدار الجديد كاملًا.",
        todo: "لم يُثبَّت شيء. تحقق من الشبكة وحاول مرة أخرى.",
      },
      no_build: { what: "لا يوجد إصدار جديد لهذا النوع من الحواسيب.", todo: "انظر حيث حصلت على Towline." },
      rights: {
        what: "لم تُثبَّت الحزمة لأن أحدًا لم يُدخل كلمة مرور المسؤول.",
        todo: "حاول مرة أخرى بها، أو ثبّتها بمدير الحزم في نظامك.",
      },
      disk: {
        what: "لا يمكن كتابة الإصدار الجديد حيث يقع Towline.",
        todo: "أفسح مكانًا هناك، أو تحقق من أنه يحق لك الكتابة فيه. والإصدار الذي لديك يواصل العمل.",
      },
      install: {
        what: "لم يثبّت النظام الإصدار الجديد.",
        todo: "الإصدار الذي لديك يواصل العمل. احصل على الجديد من حيث حصلت على Towline.",
      },
    },
  };
}
