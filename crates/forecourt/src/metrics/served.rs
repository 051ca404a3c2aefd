//! What a process that serves tells beside what its gateway counts.

use std::{sync::atomic::Ordering, time::Duration};

use forecourt_app::{App, dcr_removals, deliveries, gateway_feed, nodes, usage};
use forecourt_core::{
    actors::{Caller, Source},
    nodes::{NodeConnection, NodeFilter},
};
use forecourt_http::observations::Observations;

use super::{
    COMMITTED_REVISION, DATABASE_CONNECTIONS, DATABASE_UP, DATABASE_WAIT, DATABASE_WRITABLE, DELIVERIES_DEAD,
    DELIVERIES_OVERDUE, DELIVERIES_WAITING, DELIVERY_ATTEMPTS, Exposition, HTTP_DURATION, HTTP_REQUESTS,
    HTTP_TURNED_AWAY, JOB_BREAKS, JOB_DOWN, JOB_FAILURES, JOB_RUNS, NODE_LAG, NODES, PASSWORD_HASHES,
    REMOVALS_DUE, SIGN_IN_FAILURES, SIGN_IN_REFUSALS, SYNC_DIVERGED, Sample, USAGE_INBOX,
};
use crate::{
    database_watch::DatabaseState,
    jobs::{Job, Jobs},
};

/// How long the database may take to say what waits in it; longer, and that is left out.
const PATIENCE: Duration = Duration::from_secs(2);

/// Adds everything that is known without the gateway.
pub async fn of_process_that_serves(
    exposition: &mut Exposition,
    app: &App,
    database: &DatabaseState,
    observations: &Observations,
    jobs: &Jobs,
) {
    of_faces(exposition, observations);
    let (failed, refused) = app.failed_sign_ins();
    exposition.family(&SIGN_IN_FAILURES, [Sample::plain(failed)]);
    exposition.family(&SIGN_IN_REFUSALS, [Sample::plain(refused)]);
    exposition.family(&PASSWORD_HASHES, [Sample::plain(app.password_hashes())]);
    exposition.family(&DATABASE_UP, [Sample::plain(u8::from(!database.is_away()))]);
    exposition.family(&DATABASE_WRITABLE, [Sample::plain(u8::from(database.is_well()))]);
    let (open, idle) = app.connections();
    let connections = [("idle", idle), ("busy", open.saturating_sub(idle))];
    let connections = connections.map(|(state, count)| Sample::labelled(&[state], count));
    exposition.family(&DATABASE_CONNECTIONS, connections);
    exposition.family(&DATABASE_WAIT, [Sample::durations(&[], app.write_waits())]);
    let committed = *gateway_feed::latest(app).borrow();
    exposition.family(&COMMITTED_REVISION, [Sample::plain(committed)]);
    exposition.family(&SYNC_DIVERGED, [Sample::plain(gateway_feed::diverged(app))]);
    of_jobs(exposition, || jobs.all());
    let tried = deliveries::tried(app);
    let tried = tried.into_iter().map(|(way, end, count)| Sample::labelled(&[way.name(), end], count));
    exposition.family(&DELIVERY_ATTEMPTS, tried);
    if !database.is_away() {
        // One that hangs all the same costs these few lines and not the others.
        let _in_time = tokio::time::timeout(PATIENCE, of_database(exposition, app, committed)).await;
    }
}

/// Adds how these jobs go on.
pub fn of_jobs<'a, I: Iterator<Item = &'a Job>>(exposition: &mut Exposition, jobs: impl Fn() -> I) {
    let mut family = |metric, told: fn(&Job) -> u64| {
        exposition.family(metric, jobs().map(|job| Sample::labelled(&[job.name()], told(job))));
    };
    family(&JOB_RUNS, |job| job.counts().0);
    family(&JOB_FAILURES, |job| job.counts().1);
    family(&JOB_BREAKS, Job::broken_off);
    family(&JOB_DOWN, |job| u64::from(job.is_down()));
}

fn of_faces(exposition: &mut Exposition, observations: &Observations) {
    let routes = observations.routes();
    let requests = routes.iter().flat_map(|(of, observed)| {
        observed.answers().map(move |(class, count)| {
            Sample::labelled(&[of.face, of.method, of.route.as_str(), class], count)
        })
    });
    exposition.family(&HTTP_REQUESTS, requests);
    let durations = observations.durations();
    let durations = durations
        .into_iter()
        .map(|((face, route), reading)| Sample::durations(&[face, route.as_str()], reading));
    exposition.family(&HTTP_DURATION, durations);
    let turned_away = observations.turned_away();
    let turned_away =
        turned_away.iter().map(|(face, count)| Sample::labelled(&[*face], count.load(Ordering::Relaxed)));
    exposition.family(&HTTP_TURNED_AWAY, turned_away);
}

/// What is only known by asking the database.
async fn of_database(exposition: &mut Exposition, app: &App, committed: i64) {
    if let Ok(pieces) = usage::waiting_pieces(app).await {
        exposition.family(&USAGE_INBOX, [Sample::plain(pieces)]);
    }
    if let Ok(due) = dcr_removals::count_due(app).await {
        exposition.family(&REMOVALS_DUE, [Sample::plain(due)]);
    }
    if let Ok(backlog) = deliveries::backlog(app).await {
        exposition.family(&DELIVERIES_WAITING, [Sample::plain(backlog.waiting)]);
        exposition.family(&DELIVERIES_DEAD, [Sample::plain(backlog.dead)]);
        let now = app.now().micros();
        let overdue = backlog.due_since.map_or(0, |since| now.saturating_sub(since.micros()).max(0));
        exposition.family(&DELIVERIES_OVERDUE, [Sample::plain(overdue / 1_000_000)]);
    }
    let caller = Caller::system(Source::Job, app.new_request_id());
    let Ok(listed) = nodes::list(app, &caller, NodeFilter::default()).await else { return };
    let connected = || listed.rows.iter().filter(|node| node.connection == NodeConnection::Connected);
    let count = connected().count();
    let rest = listed.rows.len() - count;
    let counts = [("connected", count), ("disconnected", rest)];
    exposition.family(&NODES, counts.map(|(connection, count)| Sample::labelled(&[connection], count)));
    let behind = connected().map(|node| committed.saturating_sub(node.revision).max(0)).max();
    exposition.family(&NODE_LAG, [Sample::plain(behind.unwrap_or(0))]);
}
