//! How nodes share requests: in turn, by what is in flight, or by a property of the request.
//!
//! Invariant: a node of a lower priority, or one that is not healthy, is chosen only while no better one is left;
//! but health alone never leaves a request without a node.

use std::{
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed},
    },
};

use forecourt_core::gateway_state::Balancing;

use super::{hashing::mix, node::Node};

/// The rule, and what it remembers.
pub(super) struct Balance {
    rule: Rule,
    /// Nodes of one priority stand together, the highest first.
    groups: Box<[Range<usize>]>,
}

enum Rule {
    /// Smooth weighted round robin: each node's share so far.
    InTurn(Mutex<Box<[i64]>>),
    /// Fewest in flight per weight; the number lets equals take turns.
    Least(AtomicUsize),
    /// Weighted rendezvous hashing. It needs no ring, gives exact shares, and a node that goes away moves what was
    /// its own and nothing else.
    Hash,
}

/// The mark that a node serves one more request.
pub(crate) struct Lease(Arc<AtomicU32>);

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Balance {
    /// The rule for these nodes, which are sorted by falling priority.
    pub(super) fn new(balancing: &Balancing, nodes: &[Arc<Node>]) -> Self {
        let rule = match balancing {
            Balancing::RoundRobin => Rule::InTurn(Mutex::new(vec![0; nodes.len()].into())),
            Balancing::LeastConnections => Rule::Least(AtomicUsize::new(0)),
            Balancing::ConsistentHash { .. } => Rule::Hash,
        };
        let mut groups: Vec<Range<usize>> = Vec::new();
        for group in nodes.chunk_by(|a, b| a.target.priority == b.target.priority) {
            let start = groups.last().map_or(0, |before| before.end);
            groups.push(start..start + group.len());
        }
        Self { rule, groups: groups.into() }
    }

    /// The place of the node for a request with this key.
    pub(super) fn choose(
        &self,
        nodes: &[Arc<Node>],
        key: u64,
        tried: &[usize],
    ) -> Option<(usize, Option<Lease>)> {
        if nodes.len() == 1 {
            return tried.is_empty().then_some((0, None));
        }
        let healthy =
            |place: usize, node: &Node| !tried.contains(&place) && node.health.is_usable(&node.target);
        let any = |place: usize, _: &Node| !tried.contains(&place);
        let place = self.in_groups(nodes, key, healthy).or_else(|| self.in_groups(nodes, key, any))?;
        let lease = match &self.rule {
            Rule::Least(_) => nodes.get(place).map(|node| {
                node.in_flight.fetch_add(1, Relaxed);
                Lease(Arc::clone(&node.in_flight))
            }),
            _ => None,
        };
        Some((place, lease))
    }

    fn in_groups(&self, nodes: &[Arc<Node>], key: u64, fits: impl Fn(usize, &Node) -> bool) -> Option<usize> {
        self.groups.iter().find_map(|group| {
            let group = group.clone().zip(nodes.get(group.clone())?);
            let fitting = group.filter(|(place, node)| fits(*place, node));
            match &self.rule {
                Rule::InTurn(shares) => in_turn(shares, fitting),
                Rule::Least(turn) => least(turn, fitting.collect()),
                Rule::Hash => fitting
                    .map(|(place, node)| (place, score(node, key)))
                    .max_by(|(_, a), (_, b)| a.total_cmp(b))
                    .map(|(place, _)| place),
            }
        })
    }
}

fn in_turn<'a>(
    shares: &Mutex<Box<[i64]>>,
    nodes: impl Iterator<Item = (usize, &'a Arc<Node>)>,
) -> Option<usize> {
    let mut shares = shares.lock().unwrap_or_else(PoisonError::into_inner);
    let mut total = 0;
    let mut best: Option<(usize, i64)> = None;
    for (place, node) in nodes {
        let weight = i64::from(node.target.weight);
        let share = shares.get_mut(place)?;
        total += weight;
        *share += weight;
        if best.is_none_or(|(_, most)| *share > most) {
            best = Some((place, *share));
        }
    }
    let (place, _) = best?;
    *shares.get_mut(place)? -= total;
    Some(place)
}

fn least(turn: &AtomicUsize, mut nodes: Vec<(usize, &Arc<Node>)>) -> Option<usize> {
    let first = turn.fetch_add(1, Relaxed).checked_rem(nodes.len())?;
    nodes.rotate_left(first);
    let load = |node: &Node| (u64::from(node.in_flight.load(Relaxed)) + 1, u64::from(node.target.weight));
    let fewest = nodes.into_iter().map(|(place, node)| (place, load(node))).min_by(|(_, a), (_, b)| {
        // a.0 / a.1 against b.0 / b.1
        (a.0 * b.1).cmp(&(b.0 * a.1))
    });
    fewest.map(|(place, _)| place)
}

/// Grows with the node's weight; the highest has the key.
fn score(node: &Node, key: u64) -> f64 {
    // In (0, 1), from the upper 53 bits.
    let drawn = ((mix(node.number ^ key) >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    -f64::from(node.target.weight) / drawn.ln()
}
