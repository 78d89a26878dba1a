/** The words for signal servers: using one, running one on this computer; in Simplified Chinese. */
import type { englishServers } from "./en_servers";

/** The words. */
export function chineseServers(): ReturnType<typeof englishServers> {
  return {
    title: "信令服务器",
    near: "不询问：此设备留在本地网络",
    add: {
      label: "服务器地址",
      example: "wss://signal.example.org/ws",
      hint: "由服务器的运营者提供，例如 wss://signal.example.org/ws 或 ws://192.168.1.20:8080/ws。如果它有证书，只写主机名即可。",
      use: "使用",
      used: "此设备从现在起使用该服务器",
    },
    remove: "移除",
    removeLabel: (url) => `移除 ${url}`,
    removed: "此设备不再使用该服务器",
    usual: "恢复使用默认服务器",
    usualUsed: "此设备已恢复使用默认服务器",
    bySomebody: "信令服务器由启动 Towline 时的参数或其设置文件设定。",
    here: {
      title: "这台电脑上的服务器",
      text: "这台电脑可以充当您的设备会合的服务器。当它们互相寻找时，它必须开机并打开 Towline。",
      run: "在这台电脑上运行",
      runs: "正在这台电脑上运行",
      tell: "请在您的其他设备上输入此地址，位置在首次启动时的“使用服务器”或设置中：",
      tellOneOf: "请在您的其他设备上输入其中一个地址，位置在首次启动时的“使用服务器”或设置中：",
      copy: "复制",
      copyLabel: (url) => `复制 ${url}`,
      copied: "已复制地址",
      copyFailed: "此处无法复制。请选中地址并手动复制。",
      near: "它供同一网络中的设备使用。只有您的路由器将该端口转发到这台电脑时，才能从别处连接，此时它应当有证书：请参阅“towline serve --help”。",
      plain: "此网络中的其他人能看到哪些设备在此会合。名称、文件和配对码在您的设备之间始终加密。",
      alone: "这台电脑目前不在任何网络中，因此其他设备无法连接它。",
      stop: "停止",
      stopped: "这台电脑上的服务器已停止",
    },
    first: {
      title: "目前仅限此网络",
      text: "没有设置信令服务器。同一网络中的设备无需服务器即可互相发现；要在其他地方会合，则需要一个。",
      use: "使用服务器",
      set: "它的服务器",
    },
  };
}
