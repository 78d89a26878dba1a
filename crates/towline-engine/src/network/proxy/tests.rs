use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;

fn server(url: &str) -> ServerUrl {
    url.parse().unwrap()
}

fn environment<'a>(variables: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<String> + 'a {
    |name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    }
}

/// Where these variables lead from here to `url`.
fn led(variables: &[(&str, &str)], url: &str) -> Option<String> {
    let proxies = Proxies::of(None, environment(variables)).unwrap();
    proxies.name_towards(&server(url))
}

const FAR: &str = "wss://meet.example/ws";
const PLAIN: &str = "ws://meet.example/ws";

#[test]
fn the_environment_names_proxies_as_it_does_for_all_programs() {
    let https = ("HTTPS_PROXY", "http://p.example:3128");
    let all = ("ALL_PROXY", "socks5h://q.example");
    let lower = ("https_proxy", "l.example:8080");
    assert_eq!(led(&[], FAR), None);
    assert_eq!(led(&[https], FAR).unwrap(), "http://p.example:3128");
    assert_eq!(led(&[https], PLAIN), None);
    assert_eq!(led(&[https, all], FAR).unwrap(), "http://p.example:3128");
    assert_eq!(
        led(&[https, all], PLAIN).unwrap(),
        "socks5://q.example:1080"
    );
    assert_eq!(led(&[https, lower], FAR).unwrap(), "http://l.example:8080");
    // A variable that is set to nothing names nothing, and hides what comes behind it.
    assert_eq!(led(&[("https_proxy", ""), all], FAR), None);
}

#[test]
fn exceptions_and_servers_on_this_computer_are_reached_straight() {
    let all = ("ALL_PROXY", "http://p.example:3128");
    let no = |list: &'static str| [all, ("NO_PROXY", list)];
    assert_eq!(led(&no("other.example, .meet.example"), FAR), None);
    assert_eq!(led(&no("*"), FAR), None);
    assert!(led(&no("eet.example"), FAR).is_some());
    assert_eq!(led(&no("192.0.2.0/24"), "ws://192.0.2.9:80/ws"), None);
    assert!(led(&no("192.0.2.0/24"), "ws://192.0.3.9:80/ws").is_some());
    assert_eq!(led(&no("2001:db8::/32"), "wss://[2001:db8::7]/ws"), None);
    for here in ["ws://127.0.0.1:9/ws", "ws://localhost/ws", "ws://[::1]/ws"] {
        assert_eq!(led(&[all], here), None, "{here}");
    }
}

#[test]
fn the_setting_goes_before_the_environment_and_leads_everywhere() {
    let variables = [("ALL_PROXY", "http://p.example:3128")];
    let set = |setting| Proxies::of(Some(setting), environment(&variables)).unwrap();
    let named = |proxies: &Proxies, url| proxies.name_towards(&server(url));
    let ours = set("socks5://10.0.0.1");
    assert_eq!(named(&ours, FAR).unwrap(), "socks5://10.0.0.1:1080");
    assert_eq!(
        named(&ours, "ws://127.0.0.1:9/ws").unwrap(),
        "socks5://10.0.0.1:1080"
    );
    assert_eq!(named(&set(""), FAR), None);
    assert_eq!(
        named(&set("http://[2001:db8::1]:8080/"), FAR).unwrap(),
        "http://[2001:db8::1]:8080"
    );
}

#[test]
fn what_is_no_proxy_is_refused_and_not_repeated() {
    for text in [
        "https://user:secret@p.example",
        "socks4://p.example",
        "ftp://user:secret@p.example",
        "http://user:secret@",
        "http://p.example/secret",
        "http://p.example?secret",
        "http://secret@p.example:99999",
        "http://se%3Acret:x@p.example",
        "http://secret:%0d%0a@p.example",
        "http://:secret@p.example",
        "://secret",
    ] {
        let error = Proxies::of(Some(text), |_| None).unwrap_err().to_string();
        assert!(error.contains("the setting `proxy`"), "{text}");
        assert!(!error.contains("secret"), "{text}");
    }
    let long = format!("socks5://user:{}@p.example", "x".repeat(256));
    assert!(Proxies::of(Some(&long), |_| None).is_err());
    let error = Proxies::of(None, environment(&[("HTTPS_PROXY", "nonsense://")])).unwrap_err();
    assert!(error.to_string().starts_with("HTTPS_PROXY names no proxy"));
}

#[test]
fn credentials_are_never_shown() {
    let proxies = Proxies::of(Some("http://user:secret@p.example"), |_| None).unwrap();
    let shown = format!(
        "{proxies:?} {}",
        proxies.name_towards(&server(FAR)).unwrap()
    );
    assert!(
        !shown.contains("secret") && !shown.contains("user"),
        "{shown}"
    );
    assert!(shown.contains("http://p.example:80"), "{shown}");
}

/// A proxy that reads once, says `answer`, and holds the connection; and what it has read.
async fn proxy_saying(scheme: &str, answer: Vec<u8>) -> (Proxy, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let told = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = vec![0; 1024];
        let length = stream.read(&mut heard).await.unwrap();
        heard.truncate(length);
        // Who asks may be gone before all is said.
        let _cut = stream.write_all(&answer).await;
        let _more = drain(&mut stream).await;
        heard
    });
    let url = format!("{scheme}://us%40er:se%20cret@127.0.0.1:{port}");
    (Proxy::parse(&url).unwrap(), told)
}

async fn drain(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<u64> {
    tokio::io::copy(stream, &mut tokio::io::sink()).await
}

async fn connected(proxy: &Proxy) -> Result<TcpStream, ProxyFault> {
    let connecting = proxy.connect("[2001:db8::7]", 443);
    timeout(Duration::from_secs(10), connecting).await.unwrap()
}

#[tokio::test]
async fn connect_names_the_server_and_the_credentials() {
    let answer = b"HTTP/1.1 200 Connection established\r\nX: y\r\n\r\n".to_vec();
    let (proxy, told) = proxy_saying("http", answer).await;
    drop(connected(&proxy).await.unwrap());
    assert_eq!(
        String::from_utf8(told.await.unwrap()).unwrap(),
        "CONNECT [2001:db8::7]:443 HTTP/1.1\r\nHost: [2001:db8::7]:443\r\n\
         Proxy-Authorization: Basic dXNAZXI6c2UgY3JldA==\r\n\r\n"
    );
}

#[tokio::test]
async fn answers_that_are_no_tunnel_are_told_apart() {
    let endless = b"HTTP/1.1 200 OK\r\n"
        .iter()
        .copied()
        .chain(std::iter::repeat_n(b"X: y\r\n".to_vec(), 10_000).flatten());
    let one_line = b"HTTP/1.1 200 OK\r\nX: "
        .iter()
        .copied()
        .chain(std::iter::repeat_n(b'y', 100_000));
    let cases: [(Vec<u8>, ProxyFault); 9] = [
        (
            b"HTTP/1.1 407 Who are you\r\n\r\n".to_vec(),
            ProxyFault::Login,
        ),
        (b"HTTP/1.0 403 No\r\n\r\nbody".to_vec(), ProxyFault::Refused),
        (b"HTTP/1.1 502 Bad\r\n\r\n".to_vec(), ProxyFault::Target),
        (b"HTTP/1.1 302 There\r\n\r\n".to_vec(), ProxyFault::Protocol),
        (b"HTTP/1.1 100 Go on\r\n\r\n".to_vec(), ProxyFault::Protocol),
        (b"SSH-2.0-OpenSSH_9\r\n".to_vec(), ProxyFault::Protocol),
        // Whoever speaks behind the tunnel before we did is not the server.
        (
            b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1".to_vec(),
            ProxyFault::Protocol,
        ),
        (endless.collect(), ProxyFault::Protocol),
        (one_line.collect(), ProxyFault::Protocol),
    ];
    for (answer, fault) in cases {
        let (proxy, _told) = proxy_saying("http", answer.clone()).await;
        let seen = connected(&proxy).await.map(|_| ());
        let answer = String::from_utf8_lossy(&answer[..answer.len().min(40)]).into_owned();
        assert_eq!(seen, Err(fault), "{answer}");
    }
}

#[tokio::test]
async fn a_socks_proxy_that_talks_nonsense_is_none() {
    let cases: [(&[u8], ProxyFault); 5] = [
        (&[5, 0xff], ProxyFault::Login),
        (&[4, 0], ProxyFault::Protocol),
        (&[5, 2, 1, 1], ProxyFault::Login),
        (
            &[5, 2, 1, 0, 5, 2, 0, 1, 0, 0, 0, 0, 0, 0],
            ProxyFault::Refused,
        ),
        (
            &[5, 2, 1, 0, 5, 4, 0, 1, 0, 0, 0, 0, 0, 0],
            ProxyFault::Target,
        ),
    ];
    for (answer, fault) in cases {
        let (proxy, _told) = proxy_saying("socks5", answer.to_vec()).await;
        assert_eq!(
            connected(&proxy).await.map(|_| ()),
            Err(fault),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn nobody_at_the_proxy_is_not_nobody_at_the_server() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let proxy = Proxy::parse(&format!("http://127.0.0.1:{port}")).unwrap();
    let seen = connected(&proxy).await.map(|_| ());
    assert_eq!(seen, Err(ProxyFault::Unreachable));
}
