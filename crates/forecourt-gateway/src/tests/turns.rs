//! Turns: whose comes next, and what becomes of those that nobody waits for any more.

use std::{
    net::IpAddr,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use super::{Full, MOST_WAITING, Share, Turn, Turns};

type Taking = Pin<Box<dyn Future<Output = Result<Turn, Full>>>>;

/// Somebody who waits for a turn of `address`.
fn waiting(turns: &Turns, address: &str) -> Taking {
    let (turns, share) = (turns.clone(), share(address));
    let mut taking: Taking = Box::pin(async move { turns.take(share).await });
    assert!(now(&mut taking).is_none(), "{address} waits");
    taking
}

fn share(address: &str) -> Share {
    Share::of(address.parse::<IpAddr>().unwrap())
}

/// What has come of it by now.
fn now<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

async fn first(turns: &Turns) -> Turn {
    turns.take(share("10.0.0.9")).await.unwrap_or_else(|full| panic!("{full:?}"))
}

#[tokio::test]
async fn addresses_are_served_in_turn_whatever_the_length_of_their_queues() {
    let turns = Turns::new(1);
    let turn = first(&turns).await;
    let mut queue: Vec<Taking> = (0..4).map(|_| waiting(&turns, "10.0.0.1")).collect();
    queue.push(waiting(&turns, "10.0.0.2"));
    queue.push(waiting(&turns, "10.0.0.2"));
    queue.push(waiting(&turns, "2001:db8::1"));
    drop(turn);
    let mut order = Vec::new();
    while order.len() < queue.len() {
        let (place, taken) = queue
            .iter_mut()
            .enumerate()
            .find_map(
                |(n, taking)| {
                    if order.contains(&n) { None } else { now(taking).map(|taken| (n, taken)) }
                },
            )
            .unwrap();
        assert!(taken.is_ok());
        order.push(place);
    }
    assert_eq!(order, [0, 4, 6, 1, 5, 2, 3]);
}

#[tokio::test]
async fn an_address_has_a_bounded_queue_and_those_who_left_it_hold_no_place() {
    let turns = Turns::new(1);
    let turn = first(&turns).await;
    let mut queue: Vec<Taking> = (0..MOST_WAITING).map(|_| waiting(&turns, "10.0.0.1")).collect();
    let refused = turns.take(share("10.0.0.1")).await.err();
    assert_eq!(refused, Some(Full));
    drop(waiting(&turns, "10.0.0.2"));
    drop(queue.remove(3));
    let last = waiting(&turns, "10.0.0.1");
    queue.push(last);
    drop(turn);
    for mut taking in queue {
        assert!(matches!(now(&mut taking), Some(Ok(_))));
    }
}

#[tokio::test]
async fn a_turn_that_reached_nobody_is_not_lost_and_not_doubled() {
    let turns = Turns::new(1);
    let turn = first(&turns).await;
    let gone = [waiting(&turns, "10.0.0.1"), waiting(&turns, "10.0.0.2"), waiting(&turns, "10.0.0.3")];
    drop(turn);
    // The first was handed the turn and never looked; the others left before theirs came up.
    drop(gone);
    let turn = first(&turns).await;
    let mut second = waiting(&turns, "10.0.0.1");
    drop(turn);
    assert!(matches!(now(&mut second), Some(Ok(_))));
}

#[test]
fn a_site_of_ipv6_is_one_share_and_mapped_addresses_are_ipv4() {
    assert_eq!(share("2001:db8:1:2:3::4"), share("2001:db8:1:2:ffff::"));
    assert_ne!(share("2001:db8:1:2::"), share("2001:db8:1:3::"));
    assert_eq!(share("::ffff:10.0.0.1"), share("10.0.0.1"));
    assert_ne!(share("10.0.0.1"), share("10.0.0.2"));
}
