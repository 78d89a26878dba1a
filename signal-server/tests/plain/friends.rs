//! Devices at several instances that watch each other: what they say and hear while something is out of order.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::time::{Duration, timeout};

use super::client::Client;
use super::instances::{connected, disconnected, relay};
use super::server::PATIENCE;

/// A device that forgets nothing that it hears.
pub(crate) struct Friend {
    pub(crate) client: Client,
    pub(crate) id: String,
    /// What nobody has asked for yet.
    heard: Vec<Value>,
    said: u32,
}

impl Friend {
    /// Comes as the device of this number.
    pub(crate) async fn come(address: SocketAddr, number: u8) -> Self {
        let (client, id) = Client::device(address, number).await;
        Self {
            client,
            id,
            heard: Vec::new(),
            said: 0,
        }
    }

    pub(crate) async fn watch(&mut self, peers: &[&str]) {
        self.client
            .say(json!({"type": "watch", "peers": peers}))
            .await;
    }

    /// Waits until it has heard this, whatever else comes before.
    pub(crate) async fn hears(&mut self, wanted: &Value) {
        let heard = self.hear_what(|heard| heard == wanted);
        let is_heard = timeout(PATIENCE, heard).await.is_ok();
        assert!(is_heard, "{wanted} is not heard but {:?}", self.heard);
    }

    /// Whether it has heard this by now.
    pub(crate) fn has_heard(&self, message: &Value) -> bool {
        self.heard.contains(message)
    }

    /// Asks; gives the answer to that.
    pub(crate) async fn answer(&mut self, question: &Value) -> Value {
        let mut question = question.clone();
        question["id"] = json!("mine");
        self.client.say(question).await;
        let answer = self.hear_what(|heard| heard["id"] == "mine");
        let answer = timeout(PATIENCE, answer).await;
        answer.expect("an answer")
    }

    async fn hear_what(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        if let Some(index) = self.heard.iter().position(&is_it) {
            return self.heard.remove(index);
        }
        loop {
            let heard = self.client.hear().await;
            if is_it(&heard) {
                return heard;
            }
            self.heard.push(heard);
        }
    }

    /// What it says next, and what is heard of it.
    fn next_word(&mut self, to: &str) -> [Value; 2] {
        self.said += 1;
        [
            json!({"type": "relay", "to": to, "payload": self.said}),
            json!({"type": "relayed", "from": self.id, "payload": self.said}),
        ]
    }
}

/// One device at each of these addresses; all watch each other, and know that the others are there.
pub(crate) async fn friends_at<const N: usize>(addresses: [SocketAddr; N]) -> [Friend; N] {
    let mut all = Vec::new();
    for (address, number) in addresses.into_iter().zip(1..) {
        all.push(Friend::come(address, number).await);
    }
    let ids: Vec<String> = all.iter().map(|friend| friend.id.clone()).collect();
    for (friend, own) in all.iter_mut().zip(&ids) {
        let others = ids.iter().filter(|id| *id != own);
        friend
            .watch(&others.map(String::as_str).collect::<Vec<_>>())
            .await;
    }
    for (friend, own) in all.iter_mut().zip(&ids) {
        for other in ids.iter().filter(|id| *id != own) {
            friend.hears(&connected(other)).await;
        }
    }
    all.try_into().unwrap_or_else(|_| panic!("one at each"))
}

/// Each says something to the other one, and is heard.
pub(crate) async fn speak(one: &mut Friend, other: &mut Friend) {
    let [says, is_heard] = one.next_word(&other.id);
    one.client.say(says).await;
    other.hears(&is_heard).await;
    let [says, is_heard] = other.next_word(&one.id);
    other.client.say(says).await;
    one.hears(&is_heard).await;
}

/// Each of them speaks with each other one.
pub(crate) async fn all_speak<const N: usize>(friends: &mut [Friend; N]) {
    for later in 1..N {
        for sooner in 0..later {
            let two = friends.get_disjoint_mut([sooner, later]);
            let [one, other] = two.expect("two of them");
            speak(one, other).await;
        }
    }
}

/// Says something again and again until it is heard: before both instances are back it is refused or lost.
pub(crate) async fn say_until_heard(from: &mut Friend, to: &mut Friend) {
    let [says, is_heard] = from.next_word(&to.id);
    let tries = async {
        loop {
            from.client.say(says.clone()).await;
            let heard = to.hear_what(|heard| *heard == is_heard);
            if timeout(RETRY, heard).await.is_ok() {
                return;
            }
        }
    };
    let in_time = timeout(PATIENCE, tries).await;
    in_time.expect("it is heard again");
}

/// None of them has been told that another one of them is away.
pub(crate) fn nobody_is_missed(friends: &[&Friend]) {
    for one in friends {
        for other in friends {
            let wrong = disconnected(&other.id);
            assert!(!one.has_heard(&wrong), "{wrong}");
        }
    }
}

/// A new device at one address makes a code with which a new one at the other comes; they speak with each other.
pub(crate) async fn pair(at: [SocketAddr; 2], numbers: [u8; 2]) {
    let (mut creator, creator_id) = Client::device(at[0], numbers[0]).await;
    let (mut joiner, joiner_id) = Client::device(at[1], numbers[1]).await;
    let made = creator.ask(json!({"type": "create_pairing_code"})).await;
    assert_eq!(made["type"], "pairing_code", "{made}");
    let claim = json!({"type": "use_pairing_code", "code": made["code"]});
    assert_eq!(joiner.ask(claim).await, paired(&creator_id));
    assert_eq!(creator.hear().await, paired(&joiner_id));
    relay(&mut joiner, &mut creator, &creator_id).await;
    relay(&mut creator, &mut joiner, &joiner_id).await;
}

/// The same for each two of three addresses; the devices have the six numbers from this one on.
pub(crate) async fn all_pair(at: [SocketAddr; 3], first: u8) {
    let [one, two, three] = at;
    for (at, step) in [[one, two], [two, three], [three, one]]
        .into_iter()
        .zip(0..)
    {
        pair(at, [first + 2 * step, first + 2 * step + 1]).await;
    }
}

pub(crate) fn paired(id: &str) -> Value {
    json!({"type": "paired", "peer_id": id})
}

/// Time between two tries, within what a client may ask.
pub(crate) const RETRY: Duration = Duration::from_millis(100);
