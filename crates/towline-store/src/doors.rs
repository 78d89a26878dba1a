//! Every decoder of what the database holds, by name, for fuzzing; not part of the product.
//!
//! A damaged or foreign file may hold anything in a column; what cannot be read is an error.

#[path = "../../fuzz/src/door.rs"]
mod door;

use crate::columns;
use crate::settings;

pub use door::Door;

/// All doors of this crate.
pub const DOORS: &[Door] = &[
    Door {
        name: "column",
        seeds: column_seeds,
        enter: column,
    },
    Door {
        name: "settings",
        seeds: settings_seeds,
        enter: settings,
    },
];

fn column(bytes: &[u8]) {
    if let Ok(counters) = columns::decode::<Vec<(i64, u64)>>(bytes, "version") {
        let again = columns::encode(&counters).expect("plain data");
        let read = columns::decode::<Vec<(i64, u64)>>(&again, "version");
        assert_eq!(read.ok(), Some(counters));
    }
    if let Ok(texts) = columns::decode::<Vec<String>>(bytes, "address") {
        let again = columns::encode(&texts).expect("plain data");
        let read = columns::decode::<Vec<String>>(&again, "address");
        assert_eq!(read.ok(), Some(texts));
    }
    // What is no compare string or server is refused.
    let _ = columns::decode::<towline_wire::pairing::CompareString>(bytes, "compare string");
    let _ = columns::decode::<Vec<towline_wire::server_url::ServerUrl>>(bytes, "server");
}

fn settings(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(read) = settings::folder_settings(text) {
        let again = settings::folder_text(&read).expect("settings have a text");
        assert_eq!(settings::folder_settings(&again).ok(), Some(read));
    }
    if let Ok(read) = settings::device_settings(text) {
        let again = settings::device_text(&read).expect("settings have a text");
        assert_eq!(settings::device_settings(&again).ok(), Some(read));
    }
}

fn column_seeds() -> Vec<Vec<u8>> {
    let counters: Vec<(i64, u64)> = vec![(1, 1), (2, 300), (70_000, 1 << 40)];
    let servers: Vec<towline_wire::server_url::ServerUrl> =
        vec!["wss://signal.example/ws".parse().expect("a server")];
    let compare = towline_wire::pairing::CompareString::from_bits(0x1234_5678_9abc);
    [
        columns::encode(&counters),
        columns::encode(&vec!["192.0.2.1:443".to_owned()]),
        columns::encode(&servers),
        columns::encode(&compare),
    ]
    .map(|bytes| bytes.expect("plain data"))
    .into()
}

fn settings_seeds() -> Vec<Vec<u8>> {
    [
        settings::folder_text(&towline_core::records::FolderSettings::default()),
        settings::device_text(&towline_core::records::DeviceSettings::default()),
    ]
    .map(|text| text.expect("settings have a text").into_bytes())
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_door_breaks_under_changed_seeds() {
        door::knock(DOORS);
    }
}
