/** The words of what the doctor finds, in Simplified Chinese: what it is, and what to do where it could be better. */
import type { englishChecks } from "./en_checks";
import type { Numbers } from "./numbers";

/** The words, for the numbers of one locale. */
export function chineseChecks(numbers: Numbers): ReturnType<typeof englishChecks> {
  const n = (count: number) => numbers.count(count);
  const showing = (codes: number) => (codes === 0 ? "" : `，其中 ${n(codes)} 台正在显示配对码`);
  const others = (count: number, codes: number) =>
    count === 0 ? "没有发现其他设备。" : `发现 ${n(count)} 台其他设备${showing(codes)}。`;

  return {
    title: "一切正常吗？",
    lead: "检查连接所需的一切。检查时不会发送任何内容。",
    check: "检查连接",
    again: "再次检查",
    checking: "正在检查……",
    copy: "复制报告",
    copied: "已复制报告。其中没有地址、名称或位置。",
    copyFailed: { what: "此处无法复制。", todo: "请选中列表并手动复制。" },
    reportTitle: (version, moment) => `Towline ${version}，连接检查，${moment}`,
    verdict: { fine: "正常", fair: "可以更好", bad: "不可用" },
    allFine: "一切正常。",
    summary: (bad, fair) =>
      [bad > 0 ? `${n(bad)} 项不可用` : "", fair > 0 ? `${n(fair)} 项可以更好` : ""]
        .filter((text) => text !== "")
        .join("，")
        .concat("。"),
    list: "检查结果",
    unknown: (check) => ({
      what: `此窗口不认识的项目（${check}）。`,
      todo: "请更新 Towline。",
    }),
    server: {
      none: { what: "没有设置信令服务器。", todo: "其他网络中的设备要通过它才能找到：请在设置中指定一个，或在那里运行一个。" },
      online: { what: "信令服务器在线。", todo: "" },
      connecting: { what: "正在连接信令服务器。", todo: "请过几秒钟再检查。" },
      clockToo: "也请看看这台电脑的时钟：时钟不准时，任何证书都会显得无效。",
    },
    lanOnly: { what: "此设备留在本地网络，因此没有检查本地网络以外的任何内容。", todo: "" },
    udp: {
      seen: { what: "UDP 能出去，也能回来。", todo: "" },
      asking: { what: "还不知道 UDP 是否畅通。", todo: "请过几秒钟再检查。" },
      not_asked: {
        what: "不知道 UDP 是否畅通：没有遇到带有 STUN 的服务器。",
        todo: "本地网络以外的直连线路需要 STUN。请让服务器管理员启用它。",
      },
      silent: {
        what: "UDP 不通。",
        todo: "防火墙丢弃了它，因此一切都经服务器进行。请让管理此网络的人放行 UDP。",
      },
    },
    nat: {
      open: { what: "没有路由器转换此设备的地址。", todo: "" },
      same: { what: "路由器对所有人使用同一个端口：能找到直连线路。", todo: "" },
      varies: {
        what: "路由器对每个地址使用不同的端口（对称型 NAT）。",
        todo: "建立直连线路更慢；若对方也在这样的路由器后面，则无法直连。请用 --port 启动 Towline，并在路由器中转发该端口。",
      },
      unknown: {
        what: "不知道路由器如何处理端口。",
        todo: "信令服务器提供两个 STUN 地址时才能得知；请询问其管理员。",
      },
    },
    mapping: {
      given: { what: "路由器将一个专用端口引到此设备。", todo: "" },
      none: { what: "路由器不按请求提供端口。", todo: "如果它支持，请在其设置中允许 UPnP、NAT-PMP 或 PCP。" },
      off: { what: "没有向路由器请求端口：该功能已被关闭。", todo: "如果可以请求，请不带 --no-port-mapping 启动 Towline。" },
    },
    mdns: {
      off: {
        what: "此设备没有在本地网络中广播。",
        todo: "这由 DISABLE_MDNS 或 --no-mdns 指定。附近的设备因此只能通过服务器会合；如需更改，请去掉它后启动 Towline。",
      },
      heard: (count, codes) => ({ what: `本地网络中的广播正常。${others(count, codes)}`, todo: "" }),
      waiting: (count, codes) => ({
        what: `刚刚在本地网络中广播。${others(count, codes)}`,
        todo: "请过几秒钟再检查。",
      }),
      silent: (count, codes) => ({
        what: `此设备在本地网络中的广播没有回音。${others(count, codes)}`,
        todo: "没有网络，或这台电脑的防火墙丢弃了它：请放行 UDP 5353 端口的进出以及组播。",
      }),
      port_taken: {
        what: "另一个程序独占了 UDP 5353 端口，因此找不到附近的设备。",
        todo: "请结束该程序或让它共享端口，然后重新启动 Towline。",
      },
    },
    paths: {
      what: (connected, relayed) =>
        connected === 0
          ? "目前没有设备连接。"
          : relayed === 0
            ? `${n(connected)} 台已连接的设备均为直连。`
            : `${n(connected)} 台已连接的设备中，${n(relayed)} 台只能经服务器连接。`,
      todo: "下面每台设备处都写明了原因。",
    },
    keyring: {
      keyring: { what: "设备密钥在系统的密钥环中。", todo: "" },
      file: {
        what: "设备密钥在一个只有您能读取的文件中。",
        todo: "对服务器来说这是合适的。在桌面电脑上，请在创建设备之前启动密钥环（gnome-keyring、KWallet）。",
      },
    },
    clock: {
      unknown: { what: "不知道时钟是否准确：没有信令服务器告知时间。", todo: "服务器一应答就会比较。" },
      right: { what: "时钟与信令服务器相差不到一分钟。", todo: "" },
      wrong: (ms, isAhead) => ({
        what: `时钟比信令服务器${isAhead ? "快" : "慢"} ${numbers.duration(ms)}。`,
        todo: "当一个文件在两台电脑上被更改时，时间较晚的保留原名：时钟不准时就会选错，证书也可能显得无效。请校准时钟，或让系统自动校准。",
      }),
    },
    disk: {
      room: (available, total) => ({
        what: `有一个磁盘可用空间为 ${numbers.bytes(available)}，共 ${numbers.bytes(total)}。`,
        todo: "请腾出空间：文件会先写在旧文件旁边，再替换它们。",
      }),
      unknown: { what: "有一个磁盘没有告知其空间。", todo: "请确认它在位并且可读。" },
    },
    watches: (directories, limit) => ({
      what: `需要监视 ${n(directories)} 个目录；系统允许 ${n(limit)} 个。`,
      todo: "请调高 fs.inotify.max_user_watches，否则只能通过查看全部内容来发现更改。",
    }),
    folder: "有一个文件夹已停止。",
  };
}
