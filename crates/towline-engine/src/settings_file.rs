//! What is set about the network in files: by this computer's administrator, and by a device's person.
//!
//! The *policy* lies where only an administrator writes, and what it sets nobody overrules. The device's
//! own file is `config.toml` in its home. Both have the same keys, all optional: `servers`, `proxy`, `udp_port`,
//! `ice_servers`, `lan_only`, `places` and `update`. For each setting alone, the first that says anything holds: policy, what the device was
//! started with (its flags, then its environment), file, what the device's person has chosen while it ran (of `servers`
//! and `lan_only`), what the build has.
//!
//! A file that cannot be read or understood stops the start: to go on without it could mean to meet at
//! another server than somebody wants. Its content is not repeated, because it may hold a password.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};
use towline_core::io::NetworkScope;
use towline_core::records::{ChosenServer, DeviceSettings, ScopeRule, ServersRule};
use towline_core::sessions::Elsewhere;
use towline_wire::card::listenable;
use towline_wire::ids::{DeviceId, IdError};
use towline_wire::place::{Place, PlaceError};

use crate::engine::StartError;
use crate::network::{NoServerUrl, read_server};
use crate::updates::{Channel, SaidBy, UpdateRule, UpdateSettings, WrittenRule};
use crate::view::ServersSetByView;

/// The name of a device's own file, in its home.
const FILE: &str = "config.toml";

/// Longest file in bytes: 64 KiB, a hundred times what can be set.
const BYTES_MAX: u64 = 64 * 1024;

/// What one source sets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    /// Signal servers, the preferred one first; none when empty.
    pub(crate) servers: Option<Vec<String>>,
    /// The proxy that leads to them; none when empty.
    pub(crate) proxy: Option<String>,
    /// The UDP port.
    pub(crate) udp_port: Option<u16>,
    /// STUN and TURN servers.
    pub(crate) ice_servers: Option<IceServersText>,
    /// Whether it stays within the local network.
    pub(crate) lan_only: Option<bool>,
    /// Where other devices are.
    #[serde(deserialize_with = "places")]
    #[serde(default)]
    pub(crate) places: Option<BTreeMap<DeviceId, Vec<Place>>>,
    /// Which releases it follows.
    pub(crate) update: Option<WrittenRule>,
}

/// Where each device is, by its id. Each is read by itself, so that the line is named that makes no sense.
fn places<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<BTreeMap<DeviceId, Vec<Place>>>, D::Error> {
    let written = BTreeMap::<WrittenId, Vec<WrittenPlace>>::deserialize(deserializer)?;
    let read = |(id, places): (WrittenId, Vec<WrittenPlace>)| {
        (id.0, places.into_iter().map(|place| place.0).collect())
    };
    Ok(Some(written.into_iter().map(read).collect()))
}

/// A device's id as text.
#[derive(PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct WrittenId(DeviceId);

impl TryFrom<String> for WrittenId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse().map(Self)
    }
}

/// A place as text; an address at which no device can be is none.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct WrittenPlace(Place);

impl TryFrom<String> for WrittenPlace {
    type Error = PlaceError;

    fn try_from(text: String) -> Result<Self, PlaceError> {
        let place: Place = text.parse()?;
        let addr = place.addr().map(|addr| vec![addr]);
        if addr.is_some_and(|addr| listenable(addr).is_empty()) {
            return Err(PlaceError);
        }
        Ok(Self(place))
    }
}

/// STUN and TURN servers as somebody has set them, not read yet. They hold passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct IceServersText(String);

impl IceServersText {
    /// What was set.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for IceServersText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for IceServersText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IceServersText(..)")
    }
}

/// In a file they may also be written as the file's own lists and tables.
impl<'de> Deserialize<'de> for IceServersText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let text = value.as_str().map(str::to_owned);
        Ok(Self(text.unwrap_or_else(|| value.to_string())))
    }
}

/// What holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settled {
    /// At which signal servers the device is.
    pub(crate) servers: Servers,
    /// As in [`Written`]; the environment's for all programs when `None`.
    pub(crate) proxy: Option<String>,
    /// The UDP port; any when `None`.
    pub(crate) udp_port: Option<u16>,
    /// As in [`Written`].
    pub(crate) ice_servers: Option<IceServersText>,
    /// Who says how far the device goes; its person, where nobody has.
    pub(crate) scope: ScopeRule,
    /// As in [`Written`].
    pub(crate) places: BTreeMap<DeviceId, Vec<Place>>,
}

/// At which signal servers a device is, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Servers {
    /// The policy.
    Policy(Vec<ChosenServer>),
    /// Whoever started it, or its file.
    Start(Vec<ChosenServer>),
    /// Its person; the one of the build until then.
    Person(Option<ChosenServer>),
}

impl Servers {
    /// What the device is born with, where its person has set this.
    pub(crate) fn hold(&self, settings: &DeviceSettings) -> HeldServers {
        let (servers, set_by) = match (self, &settings.servers) {
            (Self::Policy(servers), _) => (servers.clone(), ServersSetByView::Administrator),
            (Self::Start(servers), _) => (servers.clone(), ServersSetByView::Start),
            (Self::Person(_), Some(chosen)) => (chosen.clone(), ServersSetByView::Person),
            (Self::Person(usual), None) => {
                (usual.iter().cloned().collect(), ServersSetByView::Build)
            }
        };
        let elsewhere = match set_by {
            ServersSetByView::Administrator => Elsewhere::Forbidden,
            // Whoever says that there is none wants none.
            ServersSetByView::Start | ServersSetByView::Person if servers.is_empty() => {
                Elsewhere::Forbidden
            }
            ServersSetByView::Start | ServersSetByView::Person | ServersSetByView::Build => {
                Elsewhere::Allowed
            }
        };
        let usual = match self {
            Self::Person(usual) => usual.as_ref().map(|usual| usual.url.to_string()),
            Self::Policy(_) | Self::Start(_) => None,
        };
        HeldServers {
            servers,
            set_by,
            elsewhere,
            usual,
        }
    }

    /// Who says it, as the core wants to know.
    pub(crate) const fn rule(&self) -> ServersRule {
        match self {
            Self::Policy(_) | Self::Start(_) => ServersRule::Fixed,
            Self::Person(_) => ServersRule::Chosen,
        }
    }
}

/// The signal servers of one life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeldServers {
    /// The preferred one first.
    pub(crate) servers: Vec<ChosenServer>,
    /// Who has set them.
    pub(crate) set_by: ServersSetByView,
    /// Whether the device goes to others.
    pub(crate) elsewhere: Elsewhere,
    /// The one that its person goes back to; `None` where there is none, or nobody here chooses.
    pub(crate) usual: Option<String>,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system does not give it.
    #[error("cannot read {0}; let this user read it, or remove it")]
    Unreadable(PathBuf, #[source] io::Error),
    /// It is too long, or no text.
    #[error("{0} is no file of settings; correct it, or remove it")]
    NotSettings(PathBuf),
    /// A line of it makes no sense.
    #[error(
        "line {1} of {0} is not understood; it may have servers = [\"wss://…\"], proxy = \"…\", udp_port = 0, lan_only = true, ice_servers = [{{ urls = \"turn:…\" }}], places = {{ DEVICE = [\"nas.example:41641\"] }} and update = \"stable\", \"beta\", \"pinned 0.3\" or \"off\""
    )]
    Line(PathBuf, usize),
}

/// Reads both files, and decides with what was `given` at the start.
pub(crate) fn settle(
    home: &Path,
    given: Written,
    default_server: Option<&str>,
) -> Result<Settled, StartError> {
    let policy = policy_file().map_or(Ok(Written::default()), |path| read(&path))?;
    let file = read(&home.join(FILE))?;
    decide(policy, given, file, default_server)
        .map_err(|NoServerUrl(text)| StartError::ServerUrl(text))
}

fn decide(
    policy: Written,
    given: Written,
    file: Written,
    default_server: Option<&str>,
) -> Result<Settled, NoServerUrl> {
    let named = |urls: Vec<String>| {
        let named = urls.iter().filter(|url| !url.trim().is_empty());
        named
            .map(|url| read_server(url))
            .collect::<Result<Vec<_>, _>>()
    };
    let servers = match (policy.servers, given.servers.or(file.servers)) {
        (Some(urls), _) => Servers::Policy(named(urls)?),
        (None, Some(urls)) => Servers::Start(named(urls)?),
        (None, None) => Servers::Person(default_server.map(read_server).transpose()?),
    };
    let port = policy.udp_port.or(given.udp_port).or(file.udp_port);
    let lan_only = policy.lan_only.or(given.lan_only).or(file.lan_only);
    Ok(Settled {
        servers,
        proxy: policy.proxy.or(given.proxy).or(file.proxy),
        udp_port: port.filter(|port| *port != 0),
        ice_servers: policy
            .ice_servers
            .or(given.ice_servers)
            .or(file.ice_servers),
        scope: lan_only.map_or(ScopeRule::Chosen, |lan_only| {
            ScopeRule::Fixed(if lan_only {
                NetworkScope::LocalNetwork
            } else {
                NetworkScope::Everywhere
            })
        }),
        places: policy.places.or(file.places).unwrap_or_default(),
    })
}

/// What holds for the updates of the device at `home`, whose person follows `chosen`.
pub(crate) fn updates(
    home: &Path,
    proxy: Option<&str>,
    chosen: Channel,
) -> Result<UpdateSettings, FileError> {
    let policy = policy_file().map_or(Ok(Written::default()), |path| read(&path))?;
    let file = read(&home.join(FILE))?;
    Ok(decide_updates(policy, proxy, file, chosen))
}

fn decide_updates(
    policy: Written,
    proxy: Option<&str>,
    file: Written,
    chosen: Channel,
) -> UpdateSettings {
    let (rule, said_by) = match (policy.update, file.update) {
        (Some(written), _) => (written.0, SaidBy::Administrator),
        (None, Some(written)) => (written.0, SaidBy::File),
        (None, None) => (UpdateRule::Follow(chosen), SaidBy::Person),
    };
    let given = proxy.map(str::to_owned);
    UpdateSettings {
        rule,
        said_by,
        proxy: policy.proxy.or(given).or(file.proxy),
    }
}

/// Where administrators put the policy.
fn policy_file() -> Option<PathBuf> {
    #[cfg(windows)]
    let place = std::env::var_os("ProgramData").map(PathBuf::from);
    #[cfg(target_os = "macos")]
    let place = Some(PathBuf::from("/Library/Application Support"));
    #[cfg(not(any(windows, target_os = "macos")))]
    let place = Some(PathBuf::from("/etc"));
    place.map(|place| place.join("towline").join("policy.toml"))
}

/// What a file sets; nothing when there is none.
fn read(path: &Path) -> Result<Written, FileError> {
    let unreadable = |error| FileError::Unreadable(path.to_owned(), error);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Written::default()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut bytes = Vec::new();
    let mut bounded = file.take(BYTES_MAX + 1);
    bounded.read_to_end(&mut bytes).map_err(unreadable)?;
    let is_short = u64::try_from(bytes.len()).is_ok_and(|length| length <= BYTES_MAX);
    let text = String::from_utf8(bytes).ok().filter(|_| is_short);
    let text = text.ok_or_else(|| FileError::NotSettings(path.to_owned()))?;
    parse(&text).map_err(|line| FileError::Line(path.to_owned(), line))
}

/// Takes what a file may hold.
#[cfg(any(test, fuzzing))]
pub(crate) fn enter(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Err(line) = parse(text)
    {
        assert!(line <= text.matches('\n').count() + 1);
    }
}

/// The settings in a text, or the number of the line that makes no sense.
fn parse(text: &str) -> Result<Written, usize> {
    toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let before = text.get(..start).unwrap_or(text);
        before.matches('\n').count() + 1
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;
    use towline_wire::ice::IceServers;

    use super::*;

    fn someone() -> DeviceId {
        DeviceId::from_public_key([7; 32])
    }

    fn place(host: &str) -> Place {
        Place::new(host, 4000).unwrap()
    }

    fn written(server: &str, proxy: &str, port: u16) -> Written {
        Written {
            servers: Some(vec![format!("wss://{server}/ws")]),
            proxy: Some(proxy.to_owned()),
            udp_port: Some(port),
            ice_servers: Some(IceServersText(format!("[{server}]"))),
            lan_only: Some(server == "p" || server == "f"),
            places: Some(BTreeMap::from([(someone(), vec![place(server)])])),
            update: None,
        }
    }

    #[test]
    fn the_policy_goes_first_then_the_start_then_the_file_then_the_build() {
        let (policy, given, file) = (
            written("p", "pp", 1),
            written("g", "gg", 2),
            written("f", "ff", 3),
        );
        let none = Written::default;
        let first = |settled: &Settled| {
            let ice = settled.ice_servers.as_ref().map(IceServersText::reveal);
            let server = settled.servers.hold(&DeviceSettings::default()).servers;
            let server = server[0].url.host().to_owned();
            let is_same = ice.is_none_or(|ice| ice == format!("[{server}]"));
            assert!(is_same, "{server}");
            (server, settled.proxy.clone(), settled.udp_port)
        };
        let held = |server: &str, proxy: Option<&str>, port| {
            (server.to_owned(), proxy.map(str::to_owned), port)
        };
        let build = Some("wss://b/ws");
        let settle = |policy, given, file| decide(policy, given, file, build).unwrap();
        let all = settle(policy, given.clone(), file.clone());
        assert_eq!(first(&all), held("p", Some("pp"), Some(1)));
        let open = settle(none(), given, file.clone());
        assert_eq!(first(&open), held("g", Some("gg"), Some(2)));
        let third = settle(none(), none(), file);
        assert_eq!(first(&third), held("f", Some("ff"), Some(3)));
        let fourth = settle(none(), none(), none());
        assert_eq!(first(&fourth), held("b", None, None));
    }

    fn held_by(
        (policy, given, file): (Written, Written, Written),
        build: Option<&str>,
        chosen: Option<&[&str]>,
    ) -> (Vec<String>, ServersSetByView, Elsewhere) {
        let read = |url: &&str| read_server(url).unwrap();
        let settings = DeviceSettings {
            servers: chosen.map(|urls| urls.iter().map(read).collect()),
            ..DeviceSettings::default()
        };
        let settled = decide(policy, given, file, build).unwrap();
        let held = settled.servers.hold(&settings);
        let is_fixed = settled.servers.rule() == ServersRule::Fixed;
        let is_of_others = matches!(
            held.set_by,
            ServersSetByView::Administrator | ServersSetByView::Start
        );
        assert_eq!(is_fixed, is_of_others);
        let hosts = held.servers.iter().map(|server| server.url.host());
        let hosts = hosts.map(str::to_owned).collect();
        (hosts, held.set_by, held.elsewhere)
    }

    #[test]
    fn a_person_chooses_servers_where_nobody_else_has_set_them() {
        use ServersSetByView::{Administrator, Build, Person, Start};
        let none = Written::default;
        let one = |server: &str| written(server, "", 0);
        let no_server = || Written {
            servers: Some(vec![" ".to_owned()]),
            ..none()
        };
        let build = Some("wss://b/ws");
        let (allowed, forbidden) = (Elsewhere::Allowed, Elsewhere::Forbidden);
        let chosen: Option<&[&str]> = Some(&["wss://c/ws"]);
        for (sources, chosen, hosts, set_by, elsewhere) in [
            (
                (one("p"), one("g"), none()),
                chosen,
                "p",
                Administrator,
                forbidden,
            ),
            ((none(), one("g"), one("f")), chosen, "g", Start, allowed),
            ((none(), none(), one("f")), chosen, "f", Start, allowed),
            (
                (none(), no_server(), one("f")),
                chosen,
                "",
                Start,
                forbidden,
            ),
            ((none(), none(), none()), chosen, "c", Person, allowed),
            ((none(), none(), none()), Some(&[]), "", Person, forbidden),
            ((none(), none(), none()), None, "b", Build, allowed),
        ] {
            let held = held_by(sources, build, chosen);
            assert_eq!(
                (held.0.concat().as_str(), held.1, held.2),
                (hosts, set_by, elsewhere)
            );
        }
        let nobody = held_by((none(), none(), none()), None, None);
        assert_eq!(nobody, (Vec::new(), Build, allowed));
    }

    #[test]
    fn what_is_no_server_is_named_without_its_token() {
        let wrong = Written {
            servers: Some(vec![
                "https://s3cret-s3cret-s3cret@meet.example/ws".to_owned(),
            ]),
            ..Written::default()
        };
        let none = Written::default;
        let NoServerUrl(said) = decide(none(), wrong, none(), None).unwrap_err();
        assert_eq!(said, "https://…@meet.example/ws");
    }

    #[test]
    fn whoever_says_first_how_far_it_goes_cannot_be_overruled_and_else_its_person_chooses() {
        let (policy, given, file) = (
            written("p", "", 0),
            written("g", "", 0),
            written("f", "", 0),
        );
        let near = ScopeRule::Fixed(NetworkScope::LocalNetwork);
        let far = ScopeRule::Fixed(NetworkScope::Everywhere);
        let none = Written::default;
        for (sources, rule) in [
            ((policy, given.clone(), file.clone()), near),
            ((none(), given, file.clone()), far),
            ((none(), none(), file), near),
            ((none(), none(), none()), ScopeRule::Chosen),
        ] {
            let (policy, given, file) = sources;
            assert_eq!(decide(policy, given, file, None).unwrap().scope, rule);
        }
    }

    #[test]
    fn updates_follow_the_policy_then_the_file_then_the_person() {
        let none = Written::default;
        let says = |rule: &str| parse(&format!("update = \"{rule}\"")).unwrap();
        let decide = |policy, file| {
            let settings = decide_updates(policy, None, file, Channel::Beta);
            (settings.rule, settings.said_by)
        };
        let pinned: UpdateRule = "pinned 0.3".parse().unwrap();
        let policy = decide(says("off"), says("beta"));
        assert_eq!(policy, (UpdateRule::Off, SaidBy::Administrator));
        let file = decide(none(), says("pinned 0.3"));
        assert_eq!(file, (pinned, SaidBy::File));
        let person = decide(none(), none());
        assert_eq!(person, (UpdateRule::Follow(Channel::Beta), SaidBy::Person));
        assert_eq!(parse("udp_port = 7\nupdate = \"weekly\""), Err(2));
        let proxied = decide_updates(none(), Some("g"), written("f", "ff", 3), Channel::Stable);
        assert_eq!(proxied.proxy.as_deref(), Some("g"));
    }

    #[test]
    fn settings_are_overruled_one_by_one_and_none_is_also_a_word() {
        let servers_only = Written {
            servers: Some(vec!["wss://p/ws".to_owned()]),
            ..Written::default()
        };
        let (given, file) = (written("g", "", 0), written("f", "ff", 3));
        let mixed = decide(servers_only, given, file, None).unwrap();
        assert_eq!((mixed.proxy.as_deref(), mixed.udp_port), (Some(""), None));
    }

    #[test]
    fn where_devices_are_is_said_by_the_policy_or_else_by_the_file() {
        let none = Written::default;
        let of = |host: &str| BTreeMap::from([(someone(), vec![place(host)])]);
        let (policy, file) = (written("p", "", 0), written("f", "", 0));
        assert_eq!(
            decide(policy, none(), file.clone(), None).unwrap().places,
            of("p")
        );
        assert_eq!(decide(none(), none(), file, None).unwrap().places, of("f"));
        assert!(
            decide(none(), none(), none(), None)
                .unwrap()
                .places
                .is_empty()
        );
        let id = someone();
        for text in [
            format!("udp_port = 7\n[places]\n{id} = [\"f:4000\"]"),
            format!("places = {{ {id} = [\"F:4000\"] }}"),
        ] {
            assert_eq!(parse(&text).unwrap().places, Some(of("f")));
        }
        for value in [
            "\"f:4000\"",
            "[\"f\"]",
            "[\"f:0\"]",
            "[\"224.0.0.1:4000\"]",
            "[\"192.0.2.1:53\"]",
        ] {
            assert_eq!(
                parse(&format!("places = {{ {id} = {value} }}")),
                Err(1),
                "{value}"
            );
        }
        let second = format!("[places]\n{id} = [\"224.0.0.1:4000\"]");
        assert_eq!(parse(&second), Err(2));
        assert_eq!(parse("\nplaces = { me = [\"f:4000\"] }"), Err(2));
    }

    #[test]
    fn a_file_is_read_and_nonsense_is_named_by_its_line_only() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(FILE);
        assert_eq!(read(&path).unwrap(), Written::default());
        fs::write(&path, "servers = [\"s\"]\nproxy = \"p\"\nudp_port = 7\n").unwrap();
        let three = Written {
            ice_servers: None,
            lan_only: None,
            places: None,
            servers: Some(vec!["s".to_owned()]),
            ..written("s", "p", 7)
        };
        assert_eq!(read(&path).unwrap(), three);
        for set in [
            "ice_servers = [{ urls = \"turn:a\", username = \"u\", credential = \"secret\" }]",
            "[[ice_servers]]\nurls = [\"turn:a\"]\nusername = \"u\"\ncredential = \"secret\"",
            "ice_servers = '[{\"urls\": \"turn:a\", \"username\": \"u\", \"credential\": \"secret\"}]'",
        ] {
            fs::write(&path, set).unwrap();
            let read = read(&path).unwrap();
            assert!(!format!("{read:?}").contains("secret"));
            let servers = IceServers::parse(read.ice_servers.unwrap().reveal()).unwrap();
            assert_eq!(servers.turn[0].credential.reveal(), "secret");
        }
        for (text, line) in [
            ("udp_port = 7\nprxy = \"secret\"", 2),
            ("\nudp_port = 70000", 2),
            ("proxy = [\"secret\"]", 1),
            ("proxy = \"secret", 1),
            ("udp_port = 7\n\nudp_port = 8", 3),
        ] {
            fs::write(&path, text).unwrap();
            let error = read(&path).unwrap_err();
            assert!(
                matches!(error, FileError::Line(_, at) if at == line),
                "{text}: {error}"
            );
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        for bytes in [vec![b' '; 70_000], vec![0xff]] {
            fs::write(&path, bytes).unwrap();
            assert!(matches!(read(&path), Err(FileError::NotSettings(_))));
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(matches!(read(&path), Err(FileError::Unreadable(..))));
    }

    proptest! {
        #[test]
        fn junk_never_panics(text in any::<String>(), line in "(servers|proxy|udp_port|\\[|=|\"|,|\n){0,20}") {
            let _ = parse(&text);
            let _ = parse(&line);
        }
    }
}
