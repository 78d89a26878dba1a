//! Routers that give ports on demand: a real miniupnpd, whose rules go into a table of its own.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::world::Ports;
use crate::namespaces::Namespace;
use crate::processes::Running;
use crate::run;

/// One such router's miniupnpd.
#[derive(Debug)]
pub(super) struct PortGiver {
    _running: Running,
}

impl PortGiver {
    /// Starts it in the namespace of a router for its network of this number.
    pub(super) fn start(router: &Namespace, lan: u8, ports: Ports, logs: &Path) -> Result<Self> {
        router.feed("nft", &["-f", "-"], TABLE)?;
        let (natpmp, upnp) = match ports {
            Ports::Kept => ("no", "no"),
            Ports::ByPcp => ("yes", "no"),
            Ports::ByUpnp => ("no", "yes"),
        };
        let config = logs.join("miniupnpd.conf");
        let settings = format!(
            "ext_ifname=wan
listening_ip=lan{lan}
enable_natpmp={natpmp}
enable_upnp={upnp}
secure_mode=yes
uuid=00000000-0000-4000-8000-000000000001
upnp_table_name=given
upnp_nat_table_name=given
upnp_forward_chain=passing
upnp_nat_chain=inwards
upnp_nat_postrouting_chain=outwards
allow 1024-65535 192.168.{lan}.0/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
"
        );
        fs::write(&config, settings)?;
        // In the foreground; it speaks on its standard error.
        let mut command = router.command("sh");
        command.args(["-c", "exec miniupnpd -d -v -f \"$1\" -P \"$2\" 2>&1", "sh"]);
        command.arg(&config).arg(logs.join("miniupnpd.pid"));
        let mut running = Running::start("miniupnpd", &mut command, logs)?;
        let sign = match ports {
            Ports::ByUpnp => "HTTP listening",
            Ports::Kept | Ports::ByPcp => "Listening for NAT-PMP/PCP",
        };
        running.wait_for_line(|said| said.contains(sign), READY_WITHIN)?;
        Ok(Self { _running: running })
    }

    /// How many ports it has given and not taken back.
    pub(super) fn given(&self, router: &Namespace) -> Result<usize> {
        let rules = run::capture(
            router
                .command("nft")
                .args(["list", "chain", "inet", "given", "inwards"]),
        )?;
        Ok(rules.lines().filter(|line| line.contains("dnat")).count())
    }
}

/// The chains that miniupnpd fills. What was translated inwards passes the router's own rules.
const TABLE: &str = "table inet given {
    chain passing { }
    chain inwards { }
    chain outwards { }
    chain before { type nat hook prerouting priority dstnat; policy accept;
        jump inwards
    }
    chain after { type nat hook postrouting priority srcnat; policy accept;
        jump outwards
    }
}
";

/// How long it may take until it listens: 10 s, so that a loaded machine is no error.
const READY_WITHIN: Duration = Duration::from_secs(10);
