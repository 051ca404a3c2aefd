//! What a gateway knows of one application: whether it may call, and which products it is granted.
//!
//! Credentials point at their application's [`ApplicationSlot`], so a suspended application with a thousand
//! credentials is one swap of one small view. A slot exists from the first row that names the application and
//! may be empty: a credential or grant can arrive before its application's row, and then opens nothing.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use forecourt_core::{ids::ApplicationId, time::Timestamp};

use crate::compact_ids::CompactId;

/// The place of one application; lives as long as anything points at it.
pub(crate) struct ApplicationSlot {
    id: CompactId,
    view: ArcSwap<ApplicationView>,
}

/// An application at one moment; replaced, never changed.
#[derive(Clone, Default)]
pub(crate) struct ApplicationView {
    /// The revision of the application's own row, or of its deletion; 0: never seen.
    pub(crate) revision: i64,
    /// `None`: no such application (yet, or any more).
    pub(crate) live: Option<LiveApplication>,
    /// The products it is or was granted, in no order.
    pub(crate) grants: Box<[Grant]>,
}

/// The row of an existing application.
#[derive(Clone, PartialEq)]
pub(crate) struct LiveApplication {
    /// Its portal, by the number that the gateway gave to it.
    pub(crate) portal: u32,
    /// Whether both it and its developer are active.
    pub(crate) active: bool,
    /// Its developer's public id.
    pub(crate) developer_name: Arc<str>,
}

/// A subscription of the application, or the memory of an ended one.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Grant {
    /// The revision that made or ended it.
    pub(crate) revision: i64,
    /// The product, by the number that the gateway gave to it.
    pub(crate) product: u32,
    /// The plan that it is held to, by the number that the gateway gave to it; `None`: the product's default one.
    pub(crate) plan: Option<u32>,
    /// False: ended; kept so that an older row cannot revive it.
    pub(crate) live: bool,
}

impl ApplicationSlot {
    /// An empty slot for the application with this id.
    pub(crate) fn new(id: CompactId) -> Self {
        Self { id, view: ArcSwap::from_pointee(ApplicationView::default()) }
    }

    /// The id in its compact form.
    pub(crate) const fn compact_id(&self) -> &CompactId {
        &self.id
    }

    /// The id as text.
    pub(crate) fn id_text(&self) -> String {
        self.id.unpack(ApplicationId::PREFIX)
    }

    /// The application as it stands now.
    pub(crate) fn view(&self) -> Guard<Arc<ApplicationView>> {
        self.view.load()
    }

    /// Replaces the view by a changed copy; only the single writer calls this.
    pub(crate) fn change(&self, change: impl FnOnce(&mut ApplicationView)) {
        let mut view = ApplicationView::clone(&self.view.load());
        change(&mut view);
        self.view.store(Arc::new(view));
    }
}

impl ApplicationView {
    /// The application, if it may call this product of this portal (docs/gateway.md §4).
    pub(crate) fn admitted_to(&self, product: u32, portal: u32) -> Option<&LiveApplication> {
        let application = self.live.as_ref()?;
        let granted = self.grants.iter().any(|grant| grant.product == product && grant.live);
        (granted && application.active && application.portal == portal).then_some(application)
    }

    /// The grant of this product, live or ended.
    pub(crate) fn grant(&self, product: u32) -> Option<Grant> {
        self.grants.iter().find(|grant| grant.product == product).copied()
    }

    /// Records a grant in place of any older one of the same product.
    pub(crate) fn put_grant(&mut self, grant: Grant) {
        let others = self.grants.iter().filter(|other| other.product != grant.product).copied();
        self.grants = others.chain([grant]).collect();
    }

    /// Whether it holds the memory of something deleted at or before `floor`.
    pub(crate) fn remembers_deletions(&self, floor: i64) -> bool {
        let application = self.live.is_none() && (1..=floor).contains(&self.revision);
        application || self.grants.iter().any(|grant| !grant.live && grant.revision <= floor)
    }

    /// Drops that memory.
    pub(crate) fn forget_deleted(&mut self, floor: i64) {
        if self.live.is_none() && self.revision <= floor {
            self.revision = 0;
        }
        self.grants =
            self.grants.iter().filter(|grant| grant.live || grant.revision > floor).copied().collect();
    }

    /// Whether it says nothing that a fresh slot would not say.
    pub(crate) fn is_blank(&self) -> bool {
        self.live.is_none() && self.grants.is_empty() && self.revision == 0
    }
}

/// From when on a credential version is refused, as a number that compares without cases.
pub(crate) fn end_of(valid_until: Option<Timestamp>) -> i64 {
    valid_until.map_or(i64::MAX, Timestamp::micros)
}
