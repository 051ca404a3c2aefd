//! What a gateway knows of one application: whether it may call, and which products it is granted.
//!
//! Credentials point at their application's [`ApplicationSlot`], so a suspended application with a thousand
//! credentials is one change of one small view. A slot exists from the first row that names the application and
//! may be empty: a credential or grant can arrive before its application's row, and then opens nothing.
//!
//! There are as many slots as applications, and each call reads one. So everything that a call reads of an
//! application lies in one piece of 96 bytes, behind a lock that only its own calls and changes take.

use std::{
    num::NonZeroU32,
    sync::{PoisonError, RwLock, RwLockReadGuard},
};

use forecourt_core::{
    ids::{ApplicationId, DeveloperName},
    time::Timestamp,
};

use crate::compact_ids::CompactId;

/// The place of one application; lives as long as anything points at it.
pub(crate) struct ApplicationSlot {
    id: CompactId,
    view: RwLock<ApplicationView>,
}

/// An application as it stands.
#[derive(Default)]
pub(crate) struct ApplicationView {
    /// The revision of the application's own row, or of its deletion; 0: never seen.
    pub(crate) revision: i64,
    /// `None`: no such application (yet, or any more).
    pub(crate) live: Option<LiveApplication>,
    /// The products it is or was granted.
    pub(crate) grants: Grants,
}

/// The row of an existing application.
#[derive(Clone, PartialEq)]
pub(crate) struct LiveApplication {
    /// Its portal, by the number that the gateway gave to it.
    pub(crate) portal: u32,
    /// Whether both it and its developer are active.
    pub(crate) active: bool,
    /// Its developer's public id.
    pub(crate) developer_name: PublicName,
}

/// A developer's public id.
#[derive(Clone, PartialEq)]
pub(crate) struct PublicName(CompactId);

/// The grants of one application, in no order; nearly all have one product.
pub(crate) enum Grants {
    /// Of one product.
    One(Grant),
    /// Of several, or none; the list lies elsewhere, so that the common case stays small.
    Listed(Option<Box<Several>>),
}

/// A list behind a single word.
pub(crate) struct Several(Vec<Grant>);

/// A subscription of the application, or the memory of an ended one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Grant {
    /// The revision that made or ended it.
    pub(crate) revision: i64,
    /// The product, by the number that the gateway gave to it.
    pub(crate) product: u32,
    /// 1: ended; 2: of the product's default plan; above: 3 more than the number that the gateway gave to its plan.
    standing: NonZeroU32,
}

impl Grant {
    /// Made by this revision, or ended (not `live`), which is kept so that an older row cannot revive it. `plan` is the
    /// number that the gateway gave to the plan that it is held to; `None`: the product's default one.
    pub(crate) const fn new(revision: i64, product: u32, live: bool, plan: Option<u32>) -> Self {
        let standing = match (live, plan) {
            (false, _) => 0,
            (true, None) => 1,
            (true, Some(plan)) => plan.saturating_add(2),
        };
        Self { revision, product, standing: NonZeroU32::MIN.saturating_add(standing) }
    }

    /// False: ended.
    pub(crate) const fn live(&self) -> bool {
        self.standing.get() > 1
    }

    /// The plan that it is held to, by the number that the gateway gave to it; `None`: the product's default one.
    pub(crate) const fn plan(&self) -> Option<u32> {
        self.standing.get().checked_sub(3)
    }
}

impl PublicName {
    /// The name as its text.
    pub(crate) fn text(&self) -> String {
        self.0.unpack(DeveloperName::PREFIX)
    }
}

impl From<&DeveloperName> for PublicName {
    fn from(name: &DeveloperName) -> Self {
        Self(CompactId::pack(DeveloperName::PREFIX, name.as_str()))
    }
}

impl Grants {
    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.as_slice().iter()
    }

    fn as_slice(&self) -> &[Grant] {
        match self {
            Self::One(grant) => std::slice::from_ref(grant),
            Self::Listed(None) => &[],
            Self::Listed(Some(grants)) => &grants.0,
        }
    }

    /// Records a grant in place of any older one of the same product.
    fn put(&mut self, grant: Grant) {
        match self {
            Self::One(other) if other.product != grant.product => {
                *self = Self::Listed(Some(Box::new(Several(vec![*other, grant]))));
            }
            Self::Listed(None) | Self::One(_) => *self = Self::One(grant),
            Self::Listed(Some(grants)) => {
                let Several(grants) = &mut **grants;
                match grants.iter_mut().find(|other| other.product == grant.product) {
                    Some(other) => *other = grant,
                    None => {
                        if grants.len() == grants.capacity() {
                            // Doubling would leave up to as much again unused.
                            grants.reserve_exact(grants.len() / 4 + 1);
                        }
                        grants.push(grant);
                    }
                }
            }
        }
    }

    /// Drops those that `keep` does not hold for.
    fn retain(&mut self, keep: impl Fn(&Grant) -> bool) {
        let mut kept: Vec<Grant> = self.iter().copied().filter(keep).collect();
        *self = match kept.as_slice() {
            [] => Self::default(),
            [grant] => Self::One(*grant),
            _ => {
                kept.shrink_to_fit();
                Self::Listed(Some(Box::new(Several(kept))))
            }
        };
    }
}

impl Default for Grants {
    fn default() -> Self {
        Self::Listed(None)
    }
}

impl ApplicationSlot {
    /// An empty slot for the application with this id.
    pub(crate) fn new(id: CompactId) -> Self {
        Self { id, view: RwLock::default() }
    }

    /// The id in its compact form.
    pub(crate) const fn compact_id(&self) -> &CompactId {
        &self.id
    }

    /// The id as text.
    pub(crate) fn id_text(&self) -> String {
        self.id.unpack(ApplicationId::PREFIX)
    }

    /// The application as it stands now; it cannot change while this is held, so it is held for a moment only.
    pub(crate) fn view(&self) -> RwLockReadGuard<'_, ApplicationView> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the view; only the single writer calls this.
    pub(crate) fn change(&self, change: impl FnOnce(&mut ApplicationView)) {
        change(&mut self.view.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl ApplicationView {
    /// The application, if it may call this product of this portal (docs/gateway.md §4).
    pub(crate) fn admitted_to(&self, product: u32, portal: u32) -> Option<&LiveApplication> {
        let application = self.live.as_ref()?;
        let granted = self.grants.iter().any(|grant| grant.product == product && grant.live());
        (granted && application.active && application.portal == portal).then_some(application)
    }

    /// The grant of this product, live or ended.
    pub(crate) fn grant(&self, product: u32) -> Option<Grant> {
        self.grants.iter().find(|grant| grant.product == product).copied()
    }

    /// Records a grant in place of any older one of the same product.
    pub(crate) fn put_grant(&mut self, grant: Grant) {
        self.grants.put(grant);
    }

    /// Whether it holds the memory of something deleted at or before `floor`.
    pub(crate) fn remembers_deletions(&self, floor: i64) -> bool {
        let application = self.live.is_none() && (1..=floor).contains(&self.revision);
        application || self.grants.iter().any(|grant| !grant.live() && grant.revision <= floor)
    }

    /// Drops that memory.
    pub(crate) fn forget_deleted(&mut self, floor: i64) {
        if self.live.is_none() && self.revision <= floor {
            self.revision = 0;
        }
        self.grants.retain(|grant| grant.live() || grant.revision > floor);
    }

    /// Whether it says nothing that a fresh slot would not say.
    pub(crate) fn is_blank(&self) -> bool {
        self.live.is_none() && matches!(self.grants, Grants::Listed(None)) && self.revision == 0
    }
}

/// From when on a credential version is refused, as a number that compares without cases.
pub(crate) fn end_of(valid_until: Option<Timestamp>) -> i64 {
    valid_until.map_or(i64::MAX, Timestamp::micros)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::{collection::vec, option, prelude::*};

    use super::*;

    fn grant(product: u32, revision: i64, live: bool) -> Grant {
        Grant::new(revision, product, live, None)
    }

    #[test]
    fn a_grant_takes_the_place_of_the_older_one_of_its_product_and_of_no_other() {
        let mut view = ApplicationView::default();
        for put in
            [grant(1, 1, true), grant(1, 2, false), grant(2, 3, true), grant(3, 4, true), grant(2, 5, false)]
        {
            view.put_grant(put);
        }
        let all: Vec<_> = view.grants.iter().copied().collect();
        assert_eq!(all, [grant(1, 2, false), grant(2, 5, false), grant(3, 4, true)]);
        assert_eq!(view.grant(2), Some(grant(2, 5, false)));
        assert_eq!(view.grant(4), None);
        view.forget_deleted(2);
        assert_eq!(view.grant(1), None);
        view.forget_deleted(5);
        assert!(matches!(view.grants, Grants::One(only) if only == grant(3, 4, true)));
    }

    #[test]
    fn a_grant_tells_what_it_was_made_with() {
        for plan in [None, Some(0), Some(1), Some(1_000_000)] {
            let made = Grant::new(7, 3, true, plan);
            assert_eq!((made.revision, made.product, made.live(), made.plan()), (7, 3, true, plan));
            let ended = Grant::new(8, 3, false, plan);
            assert_eq!((ended.revision, ended.live(), ended.plan()), (8, false, None));
        }
    }

    proptest! {
        /// A map of products is what the packed list must be like, whatever comes in whatever order.
        #[test]
        fn packed_grants_are_like_a_plain_map(
            steps in vec(
                (0..8_u32, any::<bool>(), option::of(0..3_u32), option::weighted(0.1, 0..40_i64)),
                0..40,
            )
        ) {
            let (mut view, mut plain) = (ApplicationView::default(), BTreeMap::new());
            for ((product, live, plan, floor), revision) in steps.into_iter().zip(1..) {
                view.put_grant(Grant::new(revision, product, live, plan));
                plain.insert(product, (revision, live, plan.filter(|_| live)));
                if let Some(floor) = floor {
                    view.forget_deleted(floor);
                    plain.retain(|_, (revision, live, _)| *live || *revision > floor);
                }
                let told = |grant: &Grant| (grant.product, (grant.revision, grant.live(), grant.plan()));
                prop_assert_eq!(view.grants.iter().map(told).collect::<BTreeMap<_, _>>(), plain.clone());
                prop_assert_eq!(view.grants.iter().count(), plain.len());
            }
        }
    }

    #[test]
    fn an_application_with_one_grant_is_one_piece_of_96_bytes() {
        assert_eq!((size_of::<Grant>(), size_of::<Grants>()), (16, 16));
        // Two words for the counts of an `Arc` stand before it.
        assert_eq!(size_of::<ApplicationSlot>() + 16, 96);
    }
}
