//! A real TURN server: Debian's coturn, in the foreground.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::World;
use super::device::text;
use super::nginx::Certified;
use super::running::Running;

/// One at port 5349 of an address that is spoken to by TLS, and lends to ada.
pub(crate) fn by_tls(world: &World, at: &str, certified: &Certified, into: Command) -> Running {
    let place = world.directory("coturn");
    let (key, certificate) = (place.join("key.pem"), place.join("cert.pem"));
    fs::write(&key, certified.key()).expect("written");
    fs::write(&certificate, &certified.certificate).expect("written");
    let options = [
        "--no-udp",
        "--no-tcp",
        "--lt-cred-mech",
        "--tls-listening-port=5349",
        "--user=ada:s3same",
        &format!("--cert={}", text(&certificate)),
        &format!("--pkey={}", text(&key)),
    ];
    start(world, at, &place, &options, into)
}

/// One at port 3478 of an address, over UDP, that lends to whoever a signal server with the same secret has told of it.
pub(crate) fn by_secret(world: &World, at: &str, secret: &str, into: Command) -> Running {
    let place = world.directory("coturn");
    let options = [
        "--no-tls",
        "--use-auth-secret",
        &format!("--static-auth-secret={secret}"),
    ];
    start(world, at, &place, &options, into)
}

fn start(world: &World, at: &str, place: &Path, options: &[&str], mut command: Command) -> Running {
    command.args([
        "turnserver",
        "-n",
        "--no-cli",
        "--no-dtls",
        "--no-rfc5780",
        "--realm=towline.test",
        "--log-file=stdout",
        &format!("--listening-ip={at}"),
        &format!("--relay-ip={at}"),
        &format!("--userdb={}", text(&place.join("db"))),
        &format!("--pidfile={}", text(&place.join("pid"))),
    ]);
    command.args(options);
    Running::start("turnserver", command, &world.place("coturn.log"))
}
