//! What this device does, as numbers for Prometheus (the OpenMetrics text format), served over HTTP where its
//! administrator wants it; nowhere by default.
//!
//! Everything is taken from the latest view when it is asked for, so counting costs nothing in between. Peers are
//! named by their ids. Whoever reaches the address can read who this device's peers are and how they are connected: it should
//! be the loopback interface, or a network of administrators.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::tasks::Tasks;
use crate::view::{
    CountView, FolderView, LinkCountsView, LinkView, PathView, PeerView, ServerStateView, View,
};

/// Serves `/metrics` on the listener until the tasks end.
pub(crate) fn serve(listener: TcpListener, views: watch::Receiver<Arc<View>>, tasks: &Tasks) {
    let app = Router::new()
        .route("/metrics", get(scrape))
        .with_state(views);
    tasks.spawn("metrics", async move {
        // It serves for ever; what goes wrong with one client ends that client.
        let _ended = axum::serve(listener, app).await;
    });
}

async fn scrape(State(views): State<watch::Receiver<Arc<View>>>) -> impl IntoResponse {
    let view = Arc::clone(&views.borrow());
    match encode(view) {
        Ok(body) => (StatusCode::OK, [(header::CONTENT_TYPE, CONTENT_TYPE)], body),
        Err(fmt::Error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            [(header::CONTENT_TYPE, "text/plain")],
            String::new(),
        ),
    }
}

/// The format's media type.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A view as text for Prometheus.
fn encode(view: Arc<View>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("towline");
    registry.register_collector(Box::new(Scrape(view)));
    let mut body = String::new();
    text::encode(&mut body, &registry)?;
    Ok(body)
}

/// A view that is being read.
#[derive(Debug)]
struct Scrape(Arc<View>);

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut families = Families(encoder);
        let view = &*self.0;
        families.info(
            "build",
            "The program.",
            [("version", view.device.version.as_str())],
        )?;
        let online = view.server.state == ServerStateView::Online;
        families.gauge(
            "server_online",
            "Whether the session with the signal server stands.",
            None,
            [(NO_LABELS, f64::from(u8::from(online)))],
        )?;
        links(&mut families, &view.peers)?;
        folders(&mut families, &view.folders)
    }
}

fn links(families: &mut Families<'_>, peers: &[PeerView]) -> Result<(), fmt::Error> {
    let up = peers.iter().filter_map(|peer| match &peer.link {
        LinkView::Up { path, rtt_ms, .. } => Some((peer, path, *rtt_ms)),
        LinkView::Away | LinkView::Connecting | LinkView::Waiting { .. } | LinkView::Impostor => {
            None
        }
    });
    let up: Vec<_> = up.collect();
    let connected = up.iter().map(|(peer, path, _)| {
        let kind = match path {
            PathView::Lan { .. } => "lan",
            PathView::Direct { .. } => "direct",
            PathView::Turn { .. } => "turn",
            PathView::Relayed => "relay",
        };
        (vec![("peer", peer.id.as_str()), ("path", kind)], 1.0)
    });
    families.gauge(
        "link_up",
        "1 for each connected peer, by the kind of path in use.",
        None,
        connected,
    )?;
    let rtts = up.iter().filter_map(|(peer, _, rtt_ms)| {
        Some((vec![("peer", peer.id.as_str())], (*rtt_ms)? / 1000.0))
    });
    families.gauge(
        "link_rtt",
        "Round-trip time of the connection.",
        Some(&Unit::Seconds),
        rtts,
    )?;
    let plain: [Row<NumberOf<LinkCountsView>>; 6] = [
        (
            "link_attempts",
            "Tries to connect that have come to an end.",
            |counts| counts.attempts,
        ),
        (
            "link_established",
            "Connections that came to stand.",
            |counts| counts.established,
        ),
        (
            "link_candidates_sent",
            "Addresses told to the peer.",
            |counts| counts.candidates_sent,
        ),
        (
            "link_candidates_received",
            "Addresses told by the peer.",
            |counts| counts.candidates_received,
        ),
        ("link_probes_sent", "Probes sent.", |counts| {
            counts.probes_sent
        }),
        ("link_probes_answered", "Probes that came back.", |counts| {
            counts.probes_answered
        }),
    ];
    for (name, help, of) in plain {
        let all = peers.iter();
        let all = all.map(|peer| (vec![("peer", peer.id.as_str())], of(&peer.counts)));
        families.counter(name, help, all)?;
    }
    let parted: [Row<(&str, PartsOf)>; 3] = [
        (
            "link_failed",
            "Tries that failed, by reason.",
            ("reason", |counts| &counts.failed),
        ),
        (
            "link_lost",
            "Connections that ended, by reason.",
            ("reason", |counts| &counts.lost),
        ),
        (
            "link_paths_taken",
            "Paths taken, by kind.",
            ("path", |counts| &counts.taken),
        ),
    ];
    for (name, help, (label, of)) in parted {
        let all = peers.iter().flat_map(|peer| {
            let parts = of(&peer.counts).iter();
            parts.map(|part| {
                let labels = vec![("peer", peer.id.as_str()), (label, part.of.as_str())];
                (labels, part.count)
            })
        });
        families.counter(name, help, all)?;
    }
    families.connect_times(peers)
}

fn folders(families: &mut Families<'_>, folders: &[FolderView]) -> Result<(), fmt::Error> {
    let values: [Row<NumberOf<FolderView>>; 5] = [
        ("folder_files", "Files that lie here.", |folder| {
            folder.files
        }),
        (
            "folder_needs",
            "Paths that differ from what peers have.",
            |folder| folder.needs,
        ),
        ("folder_conflicts", "Paths in conflict.", |folder| {
            folder.conflicts
        }),
        (
            "folder_held_back",
            "Entries that cannot be synced here, at most 100.",
            |folder| u64::try_from(folder.held_back.len()).unwrap_or(u64::MAX),
        ),
        ("folder_peers", "Peers that take part.", |folder| {
            u64::try_from(folder.peers.len()).unwrap_or(u64::MAX)
        }),
    ];
    for (name, help, of) in values {
        let all = folders.iter();
        // A count of files is far below 2^53.
        #[expect(clippy::cast_precision_loss)]
        let all = all.map(|folder| (vec![("folder", folder.id.as_str())], of(folder) as f64));
        families.gauge(name, help, None, all)?;
    }
    let bytes = folders.iter();
    #[expect(clippy::cast_precision_loss)]
    let bytes = bytes.map(|folder| (vec![("folder", folder.id.as_str())], folder.bytes as f64));
    families.gauge(
        "folder_size",
        "Bytes of all files that lie here.",
        Some(&Unit::Bytes),
        bytes,
    )
}

/// A family: its name, its help, and where its numbers are.
type Row<T> = (&'static str, &'static str, T);

/// Reads one number.
type NumberOf<T> = fn(&T) -> u64;

/// Reads numbers that have names.
type PartsOf = fn(&LinkCountsView) -> &[CountView];

/// Names and values of the labels of one number.
type Labels<'a> = Vec<(&'a str, &'a str)>;

const NO_LABELS: Labels<'static> = Vec::new();

/// Writes families of numbers.
struct Families<'a>(DescriptorEncoder<'a>);

impl Families<'_> {
    fn info(
        &mut self,
        name: &str,
        help: &str,
        labels: [(&str, &str); 1],
    ) -> Result<(), fmt::Error> {
        let mut family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Info)?;
        family.encode_info(&labels)
    }

    fn gauge<'a>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        values: impl IntoIterator<Item = (Labels<'a>, f64)>,
    ) -> Result<(), fmt::Error> {
        let mut family = self
            .0
            .encode_descriptor(name, help, unit, MetricType::Gauge)?;
        for (labels, value) in values {
            family.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    fn counter<'a>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels<'a>, u64)>,
    ) -> Result<(), fmt::Error> {
        let mut family = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in values {
            let mut one = family.encode_family(&labels)?;
            one.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
        }
        Ok(())
    }

    fn connect_times(&mut self, peers: &[PeerView]) -> Result<(), fmt::Error> {
        let help = "Time from when the peer was known to be there until it was connected.";
        let unit = Some(&Unit::Seconds);
        let mut family =
            self.0
                .encode_descriptor("link_connect", help, unit, MetricType::Histogram)?;
        for peer in peers {
            let counts = &peer.counts;
            let mut buckets: Vec<(f64, u64)> = counts
                .connect_within
                .iter()
                .map(|bucket| (bucket.bound_ms / 1000.0, bucket.count))
                .collect();
            buckets.push((f64::INFINITY, counts.connect_longer));
            let count = buckets.iter().map(|(_, count)| count).sum();
            let sum = counts.connect_sum_ms / 1000.0;
            let labels = vec![("peer", peer.id.as_str())];
            let mut one = family.encode_family(&labels)?;
            one.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
        Ok(())
    }
}
