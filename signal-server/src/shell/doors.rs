//! What meets bytes from outside in the server itself, by name, for fuzzing; not part of the product.
//!
//! Questions of STUN come from anybody, messages of other instances and answers of the store from whoever writes to
//! Redis. Heads of WebSocket frames are looked at as they come by, whatever else reads them. `server_life` is no decoder but
//! all of the rendezvous: bytes decide what clients, the store and other instances do, in any order. What frames of clients
//! hold is among the doors of the wire.

#[path = "../../../crates/fuzz/src/door.rs"]
mod door;
mod life;

use super::cluster::words;
use super::parts::against;
use super::stun;

pub use door::Door;

/// All doors of this crate.
pub const DOORS: &[Door] = &[
    Door {
        name: "instance_message",
        seeds: message_seeds,
        enter: instance_message,
    },
    Door {
        name: "store_answer",
        seeds: answer_seeds,
        enter: store_answer,
    },
    Door {
        name: "server_stun",
        seeds: stun_seeds,
        enter: server_stun,
    },
    Door {
        name: "websocket_heads",
        seeds: against::seeds,
        enter: against::websocket_heads,
    },
    Door {
        name: "server_life",
        seeds: life::seeds,
        enter: life::live,
    },
];

/// What is let in comes out and in again as the same.
fn instance_message(bytes: &[u8]) {
    let heard = words::heard(bytes);
    let told = words::told(&heard);
    assert_eq!(words::heard(told.as_bytes()), heard);
}

fn message_seeds() -> Vec<Vec<u8>> {
    let id = "g-0000000000000001";
    let at = "0000000000000001.7";
    [
        format!(r#"[{{"to":"{id}","is":"replaced","connection":7}}]"#),
        format!(r#"[{{"to":"{id}","is":"claimed","peer":"{id}","ms":300000}}]"#),
        format!(r#"[{{"to":"{id}","is":"mailbox_ended","peer":"{id}","reason":"expired"}}]"#),
        format!(r#"[{{"to":"{id}","is":"watching","peer":"{id}","at":"{at}"}},{{}}]"#),
        format!(
            r#"[{{"to":"{id}","is":"relayed","peer":"{id}","at":"{at}","notice":"{{\"type\":\"relayed\",\"from\":\"{id}\",\"payload\":1}}"}}]"#
        ),
        format!(
            r#"[{{"to":"{id}","is":"channel_wanted","peer":"{id}","at":"{at}","request":"{{\"type\":\"relay_open\",\"to\":\"{id}\"}}"}}]"#
        ),
        format!(r#"[{{"to":"{id}","is":"room_changed","room":"ABCDE-FGHJK"}}]"#),
    ]
    .map(String::into_bytes)
    .to_vec()
}

/// One word in a line.
fn store_answer(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = words::answer(text.lines().map(str::to_owned).collect());
}

fn answer_seeds() -> Vec<Vec<u8>> {
    let id = "g-0000000000000001";
    let at = "0000000000000001.7";
    [
        format!("arrived\n{at}\nc\n222\n300000\nj\n{id}\n{{\"type\":\"pong\"}}"),
        format!("renewed\n{id}"),
        format!("found\n{id}\n{at}"),
        "beaten\n0000000000000001".to_owned(),
        "opened\n222\n300000\nnow".to_owned(),
        format!("claimed\n{id}\n{at}\n300000\nj\nd\n{id}\n{at}"),
        format!("both\n{id}\n{at}"),
        "ended\n\n\n\n".to_owned(),
        format!("pass_on\n{at}"),
        format!("room_joined\nnow\n300000\n{id}\n{id}\n{at}\nBob"),
        format!("departed\nABCDE-FGHJK\n1\n{id}\n{at}"),
    ]
    .map(String::into_bytes)
    .to_vec()
}

/// An answer is never much longer than its question, or the server would be a tool against others.
fn server_stun(bytes: &[u8]) {
    let from = ([192, 0, 2, 7], 4000).into();
    if let Some(answer) = stun::answer(bytes, from) {
        assert!(answer.len() <= bytes.len() + 12, "{answer:?}");
    }
}

fn stun_seeds() -> Vec<Vec<u8>> {
    let plain = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    let software = [
        &[0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42][..],
        &[7; 12],
        &[0x80, 0x22, 0, 4],
        b"name",
    ]
    .concat();
    vec![plain, software]
}

#[test]
fn doors_take_seeds_and_changes_of_them() {
    door::knock(DOORS);
}
