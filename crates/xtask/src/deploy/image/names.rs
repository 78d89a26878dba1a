//! How the image finds Redis where it is told a name: by the two files that whoever runs containers puts into each, as
//! compose does and as Kubernetes does.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;

use anyhow::{Context, Result};

use super::{Jail, PATIENCE, Recipe};
use crate::deploy::redis::Redis;
use crate::deploy::{Place, is_root};
use crate::processes::{Running, wait_until};

/// All of it.
pub(super) fn find_redis(place: &Place, signal: &Path, recipe: &Recipe) -> Result<&'static str> {
    let redis = Redis::start(place)?;
    let find = |what: &str, hosts: &str, answer: &dyn Fn()| {
        let root = place.directory(&format!("root-{what}"))?;
        let etc = root.join("etc");
        fs::create_dir_all(&etc)?;
        fs::write(etc.join("hosts"), hosts)?;
        fs::write(etc.join("resolv.conf"), RESOLVER)?;
        let jail = Jail::make(root, signal, recipe)?;
        let url = redis.by_name("redis");
        let settings = [("SIGNAL_REDIS_URL", &*url), ("SIGNAL_INSTANCE", "a")];
        let name = format!("image-{what}");
        let _server = Running::start(&name, &mut jail.serve(&settings), &place.logs)?;
        let log = place.logs.join(format!("{name}.err.log"));
        wait_until(
            "the image does not find Redis by its name",
            PATIENCE,
            || {
                answer();
                fs::read_to_string(&log).is_ok_and(|text| text.contains("redis_reached"))
            },
        )
        .context(what.to_owned())
    };
    find("hosts", "127.0.0.1 localhost redis\n", &|| {})?;
    if !is_root()? {
        return Ok("in /etc/hosts; a name server not tried, which needs root");
    }
    let socket = UdpSocket::bind((NAME_SERVER, 53)).context("being a name server")?;
    socket.set_nonblocking(true)?;
    find("dns", "127.0.0.1 localhost\n", &|| answer_all(&socket))?;
    Ok("in /etc/hosts and by a name server")
}

/// Answers what has been asked so far.
fn answer_all(socket: &UdpSocket) {
    let mut question = [0; 512];
    while let Ok((length, from)) = socket.recv_from(&mut question) {
        let asked = question.get(..length).unwrap_or_default();
        if let Some(answer) = answer(asked) {
            // Who gets none asks again.
            let _ = socket.send_to(&answer, from);
        }
    }
}

/// What a name server says that knows one name: a message of RFC 1035 with the question and, where there is one, the
/// address.
fn answer(asked: &[u8]) -> Option<Vec<u8>> {
    let (head, mut rest) = asked.split_first_chunk::<12>()?;
    let mut name = Vec::new();
    loop {
        let (length, behind) = rest.split_first()?;
        let (label, behind) = behind.split_at_checked(usize::from(*length))?;
        rest = behind;
        if label.is_empty() {
            break;
        }
        name.extend(label);
        name.push(b'.');
    }
    let (kind, _) = rest.split_first_chunk::<4>()?;
    let question_len = asked.len() - head.len() - rest.len() + kind.len();
    let question = asked.get(head.len()..head.len() + question_len)?;
    let is_known = name.eq_ignore_ascii_case(NAME.as_bytes());
    let has_address = is_known && *kind == ADDRESS;
    // An answer of one who asks others for you: no error, or no such name.
    let flags = if is_known { [0x81, 0x80] } else { [0x81, 0x83] };
    let counts = [0, 1, 0, u8::from(has_address), 0, 0, 0, 0];
    let id = head.first_chunk::<2>()?;
    let mut said = [&id[..], &flags, &counts, question].concat();
    if has_address {
        // The name of the question, for a minute, four bytes.
        said.extend([0xc0, 12]);
        said.extend(ADDRESS);
        said.extend([0, 0, 0, 60, 0, 4]);
        said.extend(Ipv4Addr::LOCALHOST.octets());
    }
    Some(said)
}

/// Of loopback, so that nobody else is asked.
const NAME_SERVER: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 53);

/// What Kubernetes puts into pods.
const RESOLVER: &str = "nameserver 127.77.0.53\n\
    search towline.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n";

/// What `redis` means in there.
const NAME: &str = "redis.towline.svc.cluster.local.";

/// The kind of a question for an IPv4 address, of the internet.
const ADDRESS: [u8; 4] = [0, 1, 0, 1];

#[cfg(test)]
mod tests {
    use super::*;

    fn question(name: &str, kind: u8) -> Vec<u8> {
        let mut bytes = vec![7, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
        for label in name.split_terminator('.') {
            bytes.push(label.len() as u8);
            bytes.extend(label.as_bytes());
        }
        // And what is not asked, at the end.
        bytes.extend([0, 0, kind, 0, 1, 0, 0, 41]);
        bytes
    }

    #[test]
    fn a_known_name_has_an_address_of_the_fourth_version_and_no_other() {
        let told = answer(&question(NAME, 1)).unwrap();
        assert_eq!(told[..8], [7, 9, 0x81, 0x80, 0, 1, 0, 1]);
        assert!(told.ends_with(&[0, 4, 127, 0, 0, 1]), "{told:?}");
        let sixth = answer(&question(NAME, 28)).unwrap();
        assert_eq!(sixth[2..8], [0x81, 0x80, 0, 1, 0, 0]);
        let unknown = answer(&question("redis.", 1)).unwrap();
        assert_eq!(unknown[2..8], [0x81, 0x83, 0, 1, 0, 0]);
        assert_eq!(answer(&[0; 11]), None);
        assert_eq!(answer(&question(NAME, 1)[..20]), None);
    }
}
