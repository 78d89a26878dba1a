//! The JSON of every message, word for word, and what is refused.

use proptest::prelude::*;

use super::*;
use crate::ice::IceServers;
use crate::ids::DeviceId;

const DEVICE: DeviceId = DeviceId::from_public_key([7; 32]);

fn request(text: &str) -> ClientMessage {
    Request::from_json(text).unwrap().message
}

fn refused(text: &str) -> ErrorCode {
    Request::from_json(text).unwrap_err().code
}

#[test]
fn the_documented_first_messages_give_a_guest() {
    for text in [
        r#"{"type":"register","device_id":"abc"}"#,
        r#"{"type":"register","clientId":"abc"}"#,
        r#"{"type":"register","client_id":"abc","proof":null,"extra":[1,{}]}"#,
    ] {
        assert_eq!(
            request(text),
            ClientMessage::register(Registration::Guest {
                label: "abc".into()
            })
        );
    }
    let unnamed = ClientMessage::register(Registration::Guest {
        label: String::new(),
    });
    assert_eq!(request(r#"{"type":"register","device_id":5}"#), unnamed);
}

#[test]
fn requests_look_like_this() {
    let all = [
        ClientMessage::register(Registration::Device {
            device: DEVICE,
            proof: RegisterProof {
                version: 1,
                host: HostName::parse("Signal.Example.").unwrap(),
                signature: [9; 64],
            },
        }),
        ClientMessage::Register {
            registration: Registration::Guest {
                label: String::new(),
            },
            access_token: AccessToken::parse("0123456789abcdef"),
        },
        ClientMessage::CreatePairingCode,
        ClientMessage::UsePairingCode {
            code: Slot::parse("ABC").unwrap(),
        },
        ClientMessage::PairingDone,
        ClientMessage::CancelPairingCode,
        ClientMessage::relay(DEVICE.into(), Payload::from_text("c2VjcmV0")),
        ClientMessage::Relay {
            name: RelayName::SyncData,
            to: SignalId::Guest(GuestId(1)),
            payload: Payload::from_json("null").unwrap(),
        },
        ClientMessage::CreateRoom {
            display_name: "Anna".into(),
        },
        ClientMessage::LockRoom {
            room_code: RoomCode::from_number(1),
            password: Some(PasswordProof::from_bytes([4; 32])),
        },
        ClientMessage::LockRoom {
            room_code: RoomCode::from_number(1),
            password: None,
        },
        ClientMessage::JoinRoom {
            room_code: RoomCode::from_number(1),
            password: Some(PasswordProof::from_bytes([4; 32])),
            display_name: "Bert".into(),
        },
        ClientMessage::LeaveRoom {
            room_code: Some(RoomCode::from_number(1)),
        },
        ClientMessage::LeaveRoom { room_code: None },
        ClientMessage::Relay {
            name: RelayName::Offer,
            to: SignalId::Guest(GuestId(1)),
            payload: Payload::from_text("v=0"),
        },
        ClientMessage::Relay {
            name: RelayName::Answer,
            to: SignalId::Guest(GuestId(1)),
            payload: Payload::from_text("v=0"),
        },
        ClientMessage::Relay {
            name: RelayName::Candidate,
            to: SignalId::Guest(GuestId(1)),
            payload: Payload::from_json("null").unwrap(),
        },
        ClientMessage::Watch {
            peers: vec![DEVICE.into()],
        },
        ClientMessage::RelayOpen { to: DEVICE.into() },
        ClientMessage::Ping {
            timestamp: Payload::from_json("17.5"),
        },
    ];
    let lines: Vec<String> = all
        .into_iter()
        .zip(1..)
        .map(|(message, number)| {
            let request = Request {
                id: Some(RequestId::from_number(number)),
                message,
            };
            let json = request.to_json();
            assert_eq!(Request::from_json(&json).as_ref(), Ok(&request));
            json
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn notices_look_like_this() {
    let peer_id = SignalId::Device(DEVICE);
    let all = [
        ServerMessage::Hello {
            nonce: Nonce::from_bytes([3; 32]),
            versions: VersionRange {
                oldest: 1,
                newest: 1,
            },
            limits: ServerLimits {
                message_bytes: 65536,
                payload_bytes: 49152,
                watch_peers: 256,
                idle_seconds: 75,
            },
            stun: vec!["stun.example:3478".into()],
        },
        ServerMessage::Registered {
            device_id: peer_id,
            ice: IceServers::default(),
        },
        ServerMessage::Registered {
            device_id: SignalId::Guest(GuestId(u64::MAX)),
            ice: IceServers::default(),
        },
        ServerMessage::IceServers {
            ice: IceServers::parse(
                r#"[{"urls":"turn:t.example","username":"1:u","credential":"c"}]"#,
            )
            .unwrap(),
        },
        ServerMessage::PairingCode {
            code: Slot::parse("XYZ2").unwrap(),
            expires_in: 300,
        },
        ServerMessage::Paired { peer_id },
        ServerMessage::PairingFailed {
            reason: PairingFailure::CodeInvalid,
        },
        ServerMessage::Relayed {
            name: RelayName::Relay,
            from: peer_id,
            payload: Payload::from_text("x"),
        },
        ServerMessage::Relayed {
            name: RelayName::SyncData,
            from: peer_id,
            payload: Payload::from_text("x"),
        },
        ServerMessage::Relayed {
            name: RelayName::Offer,
            from: peer_id,
            payload: Payload::from_text("v=0"),
        },
        ServerMessage::Relayed {
            name: RelayName::Candidate,
            from: peer_id,
            payload: Payload::from_json("{}").unwrap(),
        },
        ServerMessage::RoomCreated {
            room_code: RoomCode::from_number(1),
        },
        ServerMessage::JoinedRoom {
            room_code: RoomCode::from_number(1),
            peers: vec![RoomPeer {
                peer_id,
                display_name: "Anna".into(),
            }],
            ice: IceServers::default(),
        },
        ServerMessage::PeerJoined {
            room_code: RoomCode::from_number(1),
            peer: RoomPeer {
                peer_id,
                display_name: "Bert".into(),
            },
        },
        ServerMessage::PeerLeft {
            room_code: RoomCode::from_number(1),
            peer_id,
        },
        ServerMessage::LeftRoom {
            room_code: RoomCode::from_number(1),
            reason: RoomEnd::Expired,
        },
        ServerMessage::PeerConnected { peer_id },
        ServerMessage::PeerDisconnected { peer_id },
        ServerMessage::RelayReady {
            peer_id,
            channel: ChannelId(5),
            url: "/relay/5".into(),
            token: RelayToken::from_bytes([1; 16]),
        },
        ServerMessage::Draining {
            reconnect_after_ms: 1200,
        },
        ServerMessage::Pong {
            timestamp: Payload::from_json("null"),
        },
        ServerMessage::RateLimited { retry_after_ms: 10 },
        ServerMessage::Error {
            code: ErrorCode::PeerOffline,
            message: "not there".into(),
            retry_after_ms: None,
        },
    ];
    let lines: Vec<String> = all
        .into_iter()
        .map(|message| {
            let notice = Notice::new(message);
            let json = notice.to_json();
            assert_eq!(Notice::from_json(&json).as_ref(), Ok(&notice));
            json
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn the_signed_bytes_are_these() {
    let host = HostName::parse("a.example").unwrap();
    let message = proof_message(1, &host, &Nonce::from_bytes([2; 32]), &DEVICE);
    let expected = [
        b"towline signal register\0\0\x01\0\x09a.example".as_slice(),
        &[2; 32],
        DEVICE.as_bytes(),
    ]
    .concat();
    assert_eq!(message, expected);
}

#[test]
fn payloads_pass_byte_for_byte() {
    for json in [
        "1e400",
        r#"{"b":1,"a":[1.0,  2]}"#,
        r#""\u00e9""#,
        "null",
        "12345678901234567890123",
    ] {
        let text = format!(r#"{{"payload":{json},"to":"{DEVICE}","type":"relay"}}"#);
        let ClientMessage::Relay { payload, .. } = request(&text) else {
            panic!("not a relay")
        };
        assert_eq!(payload.as_json(), json);
    }
}

#[test]
fn what_is_no_request_is_refused_with_its_id() {
    assert_eq!(refused(""), ErrorCode::InvalidMessage);
    assert_eq!(refused("[]"), ErrorCode::InvalidMessage);
    assert_eq!(refused(r#"{"type":5}"#), ErrorCode::InvalidMessage);
    assert_eq!(
        refused(r#"{"type":"relay","to":"abc","payload":1}"#),
        ErrorCode::InvalidMessage
    );
    let unknown = Request::from_json(r#"{"type":"dance","id":"x"}"#).unwrap_err();
    assert_eq!(unknown.code, ErrorCode::InvalidMessage);
    assert_eq!(
        unknown.id,
        Request::from_json(r#"{"type":"pairing_done","id":"x"}"#)
            .unwrap()
            .id
    );
    let big = format!(
        r#"{{"type":"relay","to":"{DEVICE}","payload":"{}"}}"#,
        "x".repeat(48 * 1024)
    );
    assert_eq!(refused(&big), ErrorCode::TooLarge);
    let many = vec![SignalId::Device(DEVICE); WATCH_PEERS_MAX + 1];
    assert_eq!(
        refused(&Request::new(ClientMessage::Watch { peers: many }).to_json()),
        ErrorCode::TooLarge
    );
}

#[test]
fn a_whole_code_is_refused_like_any_wrong_one() {
    let texts = [r#""ABC-234""#, r#""ABC234""#, r#""A1C""#, "7", "null"];
    let errors: Vec<_> = texts
        .iter()
        .map(|code| {
            Request::from_json(&format!(r#"{{"type":"use_pairing_code","code":{code}}}"#))
                .unwrap_err()
        })
        .collect();
    assert!(
        errors
            .iter()
            .all(|error| error == &errors[0] && error.code == ErrorCode::CodeInvalid)
    );
}

#[test]
fn a_room_that_is_none_is_refused_like_any_wrong_one() {
    let texts = [
        r#""ABCDE-FGHJ1""#,
        r#""ABC""#,
        r#""ABCDE-FGHJKL""#,
        "7",
        "{}",
    ];
    for code in texts {
        let text = format!(r#"{{"type":"join_room","room_code":{code}}}"#);
        let error = Request::from_json(&text).unwrap_err();
        assert_eq!(error.code, ErrorCode::RoomNotFound);
        assert_eq!(error.detail, ROOM_NOT_FOUND_DETAIL);
    }
    assert_eq!(refused(r#"{"type":"join_room"}"#), ErrorCode::RoomNotFound);
    for text in [
        r#"{"type":"join_room","room_code":"ABCDE-FGHJK","password_proof":"hunter2"}"#,
        r#"{"type":"create_room","password_proof":"BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ="}"#,
    ] {
        assert_eq!(refused(text), ErrorCode::InvalidMessage);
    }
}

#[test]
fn a_room_code_is_read_in_any_spelling_and_a_name_is_cut() {
    let code = RoomCode::from_number(0x3_ffff_ffff_ffff);
    assert_eq!(code.to_string(), "99999-99999");
    for text in ["99999-99999", "9999999999", "99999 99999"] {
        assert_eq!(RoomCode::parse(text), Ok(code));
    }
    assert_eq!(
        RoomCode::parse("abcde-fghjk").unwrap().to_string(),
        "ABCDE-FGHJK"
    );
    let text = format!(
        r#"{{"type":"create_room","display_name":"a\u0007{}"}}"#,
        "ä".repeat(64)
    );
    let ClientMessage::CreateRoom { display_name } = request(&text) else {
        panic!("not a room")
    };
    assert_eq!(display_name.len(), 63);
    assert!(!display_name.contains('\u{7}'));
}

#[test]
fn newer_words_of_a_server_do_not_break_a_client() {
    assert_eq!(
        Notice::from_json(r#"{"type":"festival"}"#),
        Err(NoticeError::UnknownType)
    );
    assert_eq!(
        Notice::from_json(r#"{"type":"paired"}"#),
        Err(NoticeError::Malformed)
    );
    let error = Notice::from_json(r#"{"type":"error","code":"new_word","message":"m"}"#)
        .unwrap()
        .message;
    let internal = ServerMessage::Error {
        code: ErrorCode::Internal,
        message: "m".into(),
        retry_after_ms: None,
    };
    assert_eq!(error, internal);
}

#[test]
fn debug_shows_no_secret() {
    let notice = ServerMessage::RelayReady {
        peer_id: DEVICE.into(),
        channel: ChannelId(5),
        url: "/relay/5".into(),
        token: RelayToken::from_bytes([0xab; 16]),
    };
    assert!(!format!("{notice:?}").contains("ab"));
    let join = ClientMessage::JoinRoom {
        room_code: RoomCode::parse("ABCDE-FGHJK").unwrap(),
        password: Some(PasswordProof::from_bytes([171; 32])),
        display_name: String::new(),
    };
    let shown = format!("{join:?}");
    assert!(!shown.contains("171") && !shown.contains("ABCDE"));
    let token = AccessToken::parse("0123456789abcdef").unwrap();
    assert!(!format!("{token:?}").contains("0123"));
    let relay = ClientMessage::relay(DEVICE.into(), Payload::from_text("hush"));
    assert!(!format!("{relay:?}").contains("hush"));
}

#[test]
fn hosts_have_one_spelling() {
    let same = |text: &str| HostName::parse(text).unwrap().to_string();
    assert_eq!(same("Signal.EXAMPLE."), "signal.example");
    assert_eq!(same("[::1]"), "::1");
    assert_eq!(same("::ffff:127.0.0.1"), "127.0.0.1");
    assert_eq!(same("0:0:0:0:0:0:0:1"), "::1");
    let dialled = |url: &str| HostName::of_url(url).unwrap().to_string();
    assert_eq!(dialled("wss://Signal.Example:8443/ws"), "signal.example");
    assert_eq!(dialled("ws://[0::1]:80/ws"), "::1");
    assert_eq!(HostName::of_url("signal.example"), None);
    for wrong in [
        "",
        ".",
        "a..",
        "a..b",
        ".a",
        "a b",
        "a:80",
        "a/b",
        &"x".repeat(254),
    ] {
        assert_eq!(HostName::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn close_codes_have_one_number_each() {
    for code in CloseCode::ALL {
        assert_eq!(CloseCode::from_number(code.number()), Some(code));
        assert!((4000..4100).contains(&code.number()));
    }
    assert_eq!(CloseCode::from_number(1000), None);
}

proptest! {
    #[test]
    fn junk_never_panics(text in ".{0,200}") {
        let _ = Request::from_json(&text).is_ok();
        let _ = Notice::from_json(&text).is_ok();
    }

    #[test]
    fn ids_round_trip(key in any::<[u8; 32]>(), guest in any::<u64>()) {
        for id in [SignalId::Device(DeviceId::from_public_key(key)), SignalId::Guest(GuestId(guest))] {
            prop_assert_eq!(id.to_string().parse::<SignalId>(), Ok(id));
        }
    }
}
