//! What shells may write to their logs.

/// Codes, tokens and sealed messages pass through WebSockets, whose library tells all of it at `trace`. That is not
/// compiled, so that nobody can ask for it.
const _: () = assert!(log::STATIC_MAX_LEVEL as usize <= log::LevelFilter::Debug as usize);

/// Directives for the log of a shell: what the person asked for, or `info`.
///
/// quinn's sockets warn of what cannot be sent with the address of the peer, and addresses belong to no log
/// above debug. The parser of STUN warns of every message that is none, and anybody can send those. A person who
/// names `quinn_udp` or `stun_types` gets it all the same.
#[must_use]
pub fn log_directives(asked: Option<&str>) -> String {
    let asked = asked.map(str::trim).filter(|asked| !asked.is_empty());
    format!(
        "quinn_udp=error,stun_types=error,{}",
        asked.unwrap_or("info")
    )
}
