//! The text of the unit.
//!
//! Folders lie anywhere and files keep their modes, so nothing hides directories or sets a mask. A manager of a user
//! may not do what needs root, and maps all other users to nobody where it tries: its units have less.

use super::super::written::MARK;
use super::super::{Plan, Reach};

/// What `install` writes.
pub(super) fn text(plan: &Plan) -> String {
    let words: Vec<String> = plan.words().iter().map(|word| quoted(word)).collect();
    let origin = format!("# {MARK}; `towline service remove` takes it away.\n");
    let owner = plan.owner.as_deref();
    unit(plan.reach, &origin, &words.join(" "), owner)
}

/// The units that packages bring, by name: each uses the home that its user has anyway.
pub(crate) fn packaged_units(program: &str) -> [(&'static str, String); 2] {
    let command = format!("{} up", quoted(program));
    let of_user =
        "# `systemctl --user enable --now towline`, or better `towline service install`.\n";
    let of_system = "# `systemctl enable --now towline@NAME` syncs files of the user NAME.\n";
    [
        (
            "user/towline.service",
            unit(Reach::User, of_user, &command, None),
        ),
        (
            "system/towline@.service",
            unit(Reach::System, of_system, &command, Some("%i")),
        ),
    ]
}

fn unit(reach: Reach, origin: &str, command: &str, owner: Option<&str>) -> String {
    let (after, hardening, wanted_by) = match reach {
        Reach::User => ("", "", "default.target"),
        Reach::System => (AFTER_NETWORK, OF_ROOT, "multi-user.target"),
    };
    let owner = owner.map_or_else(String::new, |name| format!("User={name}\n"));
    format!(
        "{origin}
[Unit]
Description=Towline keeps folders in sync
{after}StartLimitIntervalSec=300
StartLimitBurst=10

[Service]
Type=notify
NotifyAccess=main
{owner}ExecStart={command}
Restart=on-failure
RestartSec=5
# An index that was damaged is read anew before the device says that it is up.
TimeoutStartSec=300
# Writes that have begun are finished.
TimeoutStopSec=60

NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
{hardening}
[Install]
WantedBy={wanted_by}
"
    )
}

/// A word of `ExecStart=`, with what systemd would replace or take apart.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-_.,:=@+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '%' | '$' => quoted.extend([c, c]),
            '\n' => quoted.push_str("\\n"),
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

const AFTER_NETWORK: &str = "Wants=network-online.target\nAfter=network-online.target\n";

const OF_ROOT: &str = "\
CapabilityBoundingSet=
AmbientCapabilities=
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=full
";

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(reach: Reach, owner: Option<&str>) -> Plan {
        Plan {
            reach,
            program: "/usr/bin/towline".into(),
            home: "/srv/50% of $it".into(),
            owner: owner.map(str::to_owned),
            options: vec!["--server".into(), "ws://a/ws".into()],
        }
    }

    #[test]
    fn a_unit_starts_the_program_with_its_home_and_options() {
        let text = text(&plan(Reach::User, None));
        let start = "ExecStart=/usr/bin/towline --home \"/srv/50%% of $$it\" up --server ws://a/ws";
        assert!(text.lines().any(|line| line == start), "{text}");
        assert!(text.contains("WantedBy=default.target\n"));
        assert!(!text.contains("User="), "{text}");
        assert!(text.contains(MARK));
    }

    #[test]
    fn what_runs_with_the_computer_runs_as_its_owner_and_without_capabilities() {
        let text = text(&plan(Reach::System, Some("anna")));
        for line in [
            "User=anna",
            "CapabilityBoundingSet=",
            "After=network-online.target",
            "WantedBy=multi-user.target",
        ] {
            assert!(text.lines().any(|there| there == line), "{line}: {text}");
        }
    }

    #[test]
    fn words_reach_the_program_as_they_were_given() {
        assert_eq!(quoted("/opt/a-b_c.d"), "/opt/a-b_c.d");
        assert_eq!(quoted(""), "\"\"");
        assert_eq!(quoted("a b"), "\"a b\"");
        assert_eq!(quoted(r#"a"\b"#), r#""a\"\\b""#);
        assert_eq!(quoted("a\nUser=root"), r#""a\nUser=root""#);
    }
}
