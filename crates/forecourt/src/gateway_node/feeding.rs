//! What goes on beside a node's gateway: it follows its control plane, and delivers counted calls.
//!
//! Invariant: the last counts are delivered over a stream that is still there, and the node's folder is let go of once nothing
//! is written to it any more.

use std::sync::Arc;

use forecourt_gateway::sync::{Delivering, Folder, Following, Node};
use tokio::{
    sync::{Mutex, watch},
    task::JoinHandle,
};

use crate::{jobs::Jobs, supervision};

/// The running work.
#[derive(Debug)]
pub(super) struct Feeding {
    stop_delivering: watch::Sender<bool>,
    stop_following: watch::Sender<bool>,
    delivering: JoinHandle<()>,
    following: JoinHandle<()>,
    folder: Folder,
}

/// Follows and delivers until [`Feeding::stop`].
pub(super) fn start(node: Node, jobs: &Arc<Jobs>) -> Feeding {
    let (following, delivering, folder) = node.split();
    let (following, delivering) = (Arc::new(Mutex::new(following)), Arc::new(Mutex::new(delivering)));
    let (stop_following, follow_until) = watch::channel(false);
    let (stop_delivering, deliver_until) = watch::channel(false);
    let follow = move |_, stopped| follow(Arc::clone(&following), stopped);
    let deliver = move |_, stopped| deliver(Arc::clone(&delivering), stopped);
    Feeding {
        stop_delivering,
        stop_following,
        delivering: supervision::start(Arc::clone(jobs), |jobs| &jobs.usage_delivery, deliver_until, deliver),
        following: supervision::start(Arc::clone(jobs), |jobs| &jobs.gateway_feed, follow_until, follow),
        folder,
    }
}

async fn follow(following: Arc<Mutex<Following>>, mut stopped: watch::Receiver<bool>) {
    let mut following = following.lock().await;
    tokio::select! {
        _ = stopped.wait_for(|stop| *stop) => {}
        () = following.run() => {}
    }
}

async fn deliver(delivering: Arc<Mutex<Delivering>>, stopped: watch::Receiver<bool>) {
    delivering.lock().await.run(stopped).await;
}

impl Feeding {
    /// Delivers the last counts or leaves them on the disk, and returns. To be called when the gateway answers no more
    /// requests.
    pub(super) async fn stop(self) {
        self.stop_delivering.send_replace(true);
        if self.delivering.await.is_err() {
            tracing::error!("the delivery of counted calls ended early by a panic");
        }
        self.stop_following.send_replace(true);
        if self.following.await.is_err() {
            tracing::error!("the stream ended early by a panic");
        }
        drop(self.folder);
    }
}

#[cfg(test)]
mod tests {
    use forecourt_gateway::{
        Config,
        sync::{NodeConfig, NodeTls, NodeToken},
    };
    use tokio::net::TcpListener;

    use super::*;
    use crate::serve::system_clock;

    /// A node in this folder whose control plane is at `control_plane`.
    fn node(folder: Folder, control_plane: &TcpListener) -> Node {
        let url = format!("https://{}", control_plane.local_addr().unwrap());
        let config = NodeConfig {
            control_planes: vec![url.parse().unwrap()],
            token: NodeToken::parse(&format!("secret.{}", "0f".repeat(32))).unwrap(),
            tls: NodeTls::default(),
            name: "edge".into(),
            version: "0".into(),
            address: String::new(),
        };
        Node::open(folder, config, Config::default(), system_clock()).unwrap()
    }

    #[tokio::test]
    async fn the_folder_is_the_nodes_until_it_stops() {
        // Nobody answers on it: the node waits for the handshake.
        let control_plane = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = tempfile::tempdir().unwrap();
        let take = || Folder::take(place.path(), system_clock()());
        let jobs = Arc::new(Jobs::default());
        let feeding = start(node(take().unwrap(), &control_plane), &jobs);
        let _connected = control_plane.accept().await.unwrap();
        assert!(take().is_err(), "it is in use");
        feeding.stop().await;
        assert!(take().is_ok(), "it is free");
        assert!(jobs.all().all(|job| job.broken_off() == 0));
    }

    #[tokio::test]
    async fn a_control_plane_is_followed_anew_where_that_broke_off() {
        let control_plane = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::take(place.path(), system_clock()()).unwrap();
        let (mut following, _delivering, _folder) = node(folder, &control_plane).split();
        for _ in 0..2 {
            let accepted = tokio::select! {
                () = following.run() => panic!("it ended by itself"),
                accepted = control_plane.accept() => accepted,
            };
            assert!(accepted.is_ok());
        }
    }
}
