//! A router that speaks PCP in a namespace of its own, and gives what the test says.

use std::fs::File;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::process::{self, Command};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::*;

/// Where the router is, and this machine.
const ROUTER: &str = "10.77.8.1";
const OURS: &str = "10.77.8.2";

/// How long it gives a port: 1 s, so that it is asked again after half of it.
const LEASE: u32 = 1;

/// How long anything may take.
const WITHIN: Duration = Duration::from_secs(30);

/// What the router says to one request.
#[derive(Debug, Clone, Copy)]
enum Says {
    /// This leads to you from now on.
    Gives(&'static str),
    /// There is none for you.
    Refuses,
}

fn ip(words: &str) {
    let status = Command::new("ip").args(words.split(' ')).status().unwrap();
    assert!(status.success(), "ip {words}");
}

/// Two namespaces with a cable between them, gone at the end.
struct Home {
    ours: String,
    router: String,
}

impl Home {
    fn new() -> Self {
        let [ours, router] = ["h", "r"].map(|part| format!("towline-port-{}{part}", process::id()));
        ip(&format!("netns add {ours}"));
        ip(&format!("netns add {router}"));
        ip(&format!(
            "link add eth0 netns {ours} type veth peer name eth0 netns {router}"
        ));
        for (name, address) in [(&ours, OURS), (&router, ROUTER)] {
            ip(&format!("-n {name} addr add {address}/24 dev eth0"));
            ip(&format!("-n {name} link set eth0 up"));
        }
        ip(&format!("-n {ours} route add default via {ROUTER}"));
        Self { ours, router }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        for name in [&self.ours, &self.router] {
            ip(&format!("netns del {name}"));
        }
    }
}

fn enter(name: &str) {
    let place = File::open(format!("/run/netns/{name}")).unwrap();
    move_into_link_name_space(place.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
}

/// Answers requests for a port in turn (RFC 6887, 11.1), the last of these for ever. What gives a port back, and what
/// is no request of this protocol, is not answered.
fn serve(socket: &UdpSocket, says: &[Says]) {
    let mut says = says.iter().peekable();
    let mut request = [0; 1100];
    loop {
        let (length, from) = socket.recv_from(&mut request).unwrap();
        let lease = u32::from_be_bytes(request[4..8].try_into().unwrap());
        if length < 60 || request[..2] != [2, 1] || lease == 0 {
            continue;
        }
        let now = if says.len() > 1 {
            says.next()
        } else {
            says.peek().copied()
        };
        let mut answer = request[..60].to_vec();
        answer[1] = 0x81;
        answer[8..24].fill(0);
        let result = match now.unwrap() {
            Says::Gives(external) => {
                let external: SocketAddr = external.parse().unwrap();
                let IpAddr::V4(ip) = external.ip() else {
                    panic!("{external} is no IPv4")
                };
                answer[4..8].copy_from_slice(&LEASE.to_be_bytes());
                answer[42..44].copy_from_slice(&external.port().to_be_bytes());
                answer[44..60].copy_from_slice(&ip.to_ipv6_mapped().octets());
                0
            }
            // No resources.
            Says::Refuses => 8,
        };
        answer[3] = result;
        socket.send_to(&answer, from).unwrap();
    }
}

#[test]
fn what_a_router_gives_at_a_renewal_is_told_in_place_of_what_it_gave() {
    let home = Home::new();
    let router = home.router.clone();
    let (ready, is_ready) = std::sync::mpsc::channel();
    let says = [
        Says::Gives("44.10.10.21:7000"),
        Says::Gives("44.10.10.21:7000"),
        Says::Gives("44.10.10.21:4711"),
        Says::Gives("44.10.10.77:4711"),
        Says::Refuses,
    ];
    // It ends with the process.
    thread::spawn(move || {
        enter(&router);
        let socket = UdpSocket::bind((ROUTER, 5351)).unwrap();
        ready.send(()).unwrap();
        serve(&socket, &says);
    });
    is_ready.recv_timeout(WITHIN).unwrap();
    let ours = home.ours.clone();
    let told = thread::spawn(move || {
        enter(&ours);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let bound = ["0.0.0.0:7000".parse().unwrap()];
            let mut mapper = PortMapper::new(&bound).unwrap();
            mapper.renew_soonest = Duration::from_millis(100);
            let mapper = Arc::new(mapper);
            let (events, mut news) = mpsc::channel(4);
            mapper.ask();
            let running = tokio::spawn(Arc::clone(&mapper).run(events));
            let mut told = Vec::new();
            for _ in 0..4 {
                match timeout(WITHIN, news.recv()).await {
                    Ok(Some(NetworkEvent::PortMapped(external))) => told.push(external),
                    other => panic!("{other:?} after {told:?}"),
                }
            }
            running.abort();
            told
        })
    });
    let told = told.join();
    drop(home);
    let expected = ["44.10.10.21:7000", "44.10.10.21:4711", "44.10.10.77:4711"]
        .map(|text| Some(text.parse::<SocketAddr>().unwrap()));
    assert_eq!(told.unwrap(), [&expected[..], &[None]].concat());
}
