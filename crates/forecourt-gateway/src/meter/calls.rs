//! A request that is being metered, from its head to its end.
//!
//! Invariant: a [`Call`] counts once, when it is dropped, and it is owned by what lasts as long as the request: the
//! answer's body, or the tunnel that a WebSocket became.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use http::StatusCode;

use crate::{
    applications::ApplicationSlot,
    bodies::Upload,
    compact_ids::CompactId,
    connection_watch::Watch,
    route::{Product, Route},
    verify::Identity,
};

/// The status of a call whose caller went away before there was an answer.
const ABANDONED: u16 = 499;

/// A request that passed product authentication.
pub(crate) struct Call {
    watch: Arc<Watch>,
    began: Instant,
    took: Option<Duration>,
    upload: Option<Arc<Upload>>,
    /// What is counted; `None` once it was.
    ended: Option<Ended>,
}

/// What there is to count when a call has ended.
pub(crate) struct Ended {
    pub(super) product: Arc<Product>,
    pub(super) application: Arc<ApplicationSlot>,
    pub(super) route: Arc<Route>,
    pub(super) credential: CompactId,
    pub(super) from: IpAddr,
    pub(super) status: u16,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    pub(super) micros: u64,
}

impl Call {
    /// The call of this identity on this route, over the connection of `watch`, whose head arrived at `began`.
    pub(crate) fn begin(
        identity: &Identity,
        route: &Arc<Route>,
        watch: &Arc<Watch>,
        from: IpAddr,
        began: Instant,
    ) -> Self {
        let ended = Ended {
            product: Arc::clone(&identity.product),
            application: Arc::clone(&identity.application),
            route: Arc::clone(route),
            credential: identity.credential.clone(),
            from,
            status: ABANDONED,
            bytes_in: 0,
            bytes_out: 0,
            micros: 0,
        };
        Self { watch: Arc::clone(watch), began, took: None, upload: None, ended: Some(ended) }
    }

    /// The request has a body, which goes this way.
    pub(crate) fn uploads(&mut self, upload: &Arc<Upload>) {
        self.upload = Some(Arc::clone(upload));
    }

    /// This is the answer.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        if let Some(ended) = &mut self.ended {
            ended.status = status.as_u16();
        }
    }

    /// So many bytes of the answer's body went out.
    pub(crate) fn sent(&mut self, bytes: u64) {
        if let Some(ended) = &mut self.ended {
            ended.bytes_out = ended.bytes_out.saturating_add(bytes);
        }
    }

    /// So many bytes came in beside a body.
    pub(crate) fn received(&mut self, bytes: u64) {
        if let Some(ended) = &mut self.ended {
            ended.bytes_in = ended.bytes_in.saturating_add(bytes);
        }
    }

    /// What it took until now is the response time, whatever follows.
    pub(crate) fn stop_clock(&mut self) {
        self.took = Some(self.began.elapsed());
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let Some(mut ended) = self.ended.take() else { return };
        let uploaded = self.upload.as_ref().map_or(0, |upload| upload.bytes());
        ended.bytes_in = ended.bytes_in.saturating_add(uploaded);
        let took = self.took.unwrap_or_else(|| self.began.elapsed());
        ended.micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.watch.meter.count(ended);
    }
}
