//! Secrets of every kind, given and issued, and then looked for in everything that an installation answers, shows,
//! sends, logs and stores.
//!
//! `planting.rs`, `developers.rs`, `sign_ins.rs`, `forms.rs`, `mailed_links.rs`, `calls.rs` and `nodes.rs` plant them,
//! `members.rs` holds what was planted against the OpenAPI documents, `places.rs` says where is looked, `searches.rs` how.
//! What may be told where is in `docs/logging.md`.

mod calls;
mod commands;
mod developers;
mod forms;
mod installations;
mod mailed_links;
mod members;
mod nodes;
mod places;
mod planting;
mod searches;
mod sign_ins;

use std::path::Path;

use forecourt_it::{
    Client, ForecourtProcess,
    deadlines::eventually,
    processes::{binary, command, run},
};

use self::{
    developers::{Developers, LINK},
    installations::{Installation, MARK},
    places::Findings,
};

/// Answered in clear to whoever may change consumers (docs/gateway.md, 16).
const OF_CONSUMERS: [&str; 3] =
    [planting::KEY_OF_CONSUMER, planting::PASSWORD_OF_CONSUMER, planting::TOKEN_SECRET_OF_CONSUMER];
/// Lists that hold something which was planted beside the secrets.
const MARKED: [&str; 16] = [
    "/api/settings/tokens",
    "/api/portal/tokens",
    "/api/roles",
    "/api/users",
    "/api/login_options",
    "/api/contact_points",
    "/api/dcr_providers",
    "/api/audit_logs",
    "/api/system_settings/smtp_server",
    "/api/forecourt/applications",
    "/apisix/admin/services",
    "/apisix/admin/ssls",
    "/apisix/admin/consumers",
    "/apisix/admin/consumers/batch",
    "/api/applications",
    "/api/credentials",
];

/// Readings that ask for more than who asks.
const ASKING: [&str; 5] = [
    "/api/audit_logs/export",
    "/api/forecourt/usage",
    "/api/labels/application",
    "/api/settings/tokens/check_name",
    "/api/applications/api_calls",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_answered_shown_sent_logged_or_stored_as_it_is() {
    let (mut it, mut findings) = (Installation::start().await, Findings::default());
    let (admin, password) = planting::administrators(&mut it).await;
    let console = planting::console(&mut it, &password).await;
    planting::settings(&mut it, &admin).await;
    let token = planting::gateway_group(&mut it, &admin).await;
    let developers = developers::developers(&mut it, &admin).await;
    sign_ins::through_providers(&mut it, &admin).await;
    forms::of_the_console(&mut it, &admin, &console, &mut findings).await;
    forms::of_the_site(&mut it, &developers.site, &mut findings).await;
    mailed_links::to_people(&mut it, &admin, &mut findings).await;
    nodes::are_asked_for_tokens(&mut it, &admin, &mut findings).await;
    calls::through_the_gateway(&mut it, &mut findings).await;
    calls::whose_upstream_is_away(&mut it, &admin, &mut findings).await;
    calls::that_are_no_http(&mut it, &mut findings).await;
    calls::that_are_refused(&mut it, &admin, &developers, &mut findings).await;
    members::are_all_planted(it.secrets.kinds());

    is_answered(&it, &admin, &developers, &mut findings).await;
    for (part, browser) in [("admin", &console), ("site", &developers.site)] {
        let base = it.client(part).base().to_owned();
        let pages = places::pages(browser, &base, "/").await;
        assert!(
            pages.len() > 5 && pages.values().any(|page| page.contains(MARK)),
            "{part}: {:?}",
            pages.keys()
        );
        for (path, page) in pages.iter().filter(|(_, page)| !page.is_empty()) {
            // A form carries its token to be read by whoever it was made for.
            findings.look(&it.secrets, &format!("{part}{path}"), page.as_bytes(), "<", &["csrf token"]);
        }
    }
    is_sent(&it, &mut findings).await;
    is_stored(&it, "while it runs", &mut findings);
    nodes::keep_on_disk(&it, &token, &developers, &mut findings).await;
    is_logged(it, &password, &mut findings).await;
    findings.are_none(100);
}

/// Every reading answer of both APIs, to everybody who may ask, and the downloads of the audit log.
async fn is_answered(it: &Installation, admin: &Client, developers: &Developers, findings: &mut Findings) {
    let portals = admin.get("/api/portals").await.expect(200);
    let portal = forecourt_it::installations::text(&portals["list"][0]["id"]);
    let fixed = [
        ("/api/forecourt/portals", portal.as_str()),
        ("/api/gateway_groups", "default"),
        ("/api/labels", "application"),
        ("/apisix/admin/consumers", "batch"),
        ("/apisix/admin/services", "tls"),
    ];
    let (of_admin, of_portal) = (forecourt_api::admin::document(), forecourt_api::portal::document());
    let guest = it.client("admin");
    for (who, client, document, fewest) in [
        ("administrator", admin, of_admin, 60),
        ("nobody", &guest, of_admin, 30),
        ("developer", &developers.ada, of_portal, 12),
        ("front end", &developers.front_end, of_portal, 8),
    ] {
        let answers = places::answers(client, document, &fixed, &portal).await;
        assert!(answers.len() >= fewest, "{who} was answered at {:?}", answers.keys());
        // Names are tried as ids too, and are no ids of everything.
        let refused =
            answers.iter().filter(|(_, told)| !told.starts_with(b"200") && !told.starts_with(b"404"));
        let is_known = |path: &&String| ASKING.iter().any(|end| path.ends_with(end));
        let refused: Vec<_> = refused.map(|(path, _)| path).filter(|path| !is_known(path)).collect();
        assert!(["nobody", "front end"].contains(&who) || refused.is_empty(), "{who}: {refused:#?}");
        for (path, answer) in answers {
            let is_marked = ["administrator", "developer"].contains(&who) && MARKED.contains(&path.as_str());
            let of_consumers = who == "administrator" && path.starts_with("/apisix/admin/consumers");
            let except = if of_consumers { OF_CONSUMERS.as_slice() } else { &[] };
            let mark = if is_marked { MARK } else { "\n" };
            findings.look(&it.secrets, &format!("{who}: {path}"), &answer, mark, except);
        }
    }
    for format in ["json", "csv"] {
        let export = admin.get(&format!("/api/audit_logs/export?format={format}")).await;
        assert_eq!(export.status, 200, "{export:?}");
        findings.look(&it.secrets, &format!("audit log as {format}"), &export.body, MARK, &[]);
    }
    for (path, mark) in [("/metrics", "forecourt_"), ("/readyz", "200"), ("/healthz", "200")] {
        let answer = it.client("status").get(path).await;
        let told = format!("{} {}", answer.status, answer.text());
        findings.look(&it.secrets, path, told.as_bytes(), mark, &[]);
    }
}

/// Mails, webhooks and spans.
async fn is_sent(it: &Installation, findings: &mut Findings) {
    let mails: Vec<_> =
        it.mails.mails().into_iter().map(|mail| format!("{}\n{}", mail.to, mail.text)).collect();
    // A link is sent to decide with it, and stands in mails alone.
    findings.look(&it.secrets, "mails", mails.join("\n").as_bytes(), MARK, &[LINK]);
    let called: Vec<_> = it.hook.arrived().iter().map(|call| format!("{call:?}")).collect();
    findings.look(&it.secrets, "webhooks", called.join("\n").as_bytes(), MARK, &[]);
    let spans = eventually("spans arrive of gateway and APIs", || async {
        let spans = serde_json::Value::from(it.collector.spans()).to_string();
        (spans.contains("POST /api/login") && spans.contains("gateway")).then_some(spans)
    })
    .await;
    findings.look(&it.secrets, "spans", spans.as_bytes(), "http.response.status_code", &[]);
}

/// The database, the data folder, and a backup, with what the commands that make and verify it tell.
fn is_stored(it: &Installation, when: &str, findings: &mut Findings) {
    let secrets = &it.secrets;
    findings.look(secrets, &format!("database {when}"), &places::database(&it.database), MARK, &[]);
    let files = places::files(it.database.folder());
    let all: Vec<u8> = files.into_iter().flat_map(|(_, bytes)| bytes).collect();
    findings.look(secrets, &format!("data folder {when}"), &all, "nod_", &[]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("forecourt.backup");
    let told = run(it.command(&["backup", "--to", file.to_str().unwrap()]));
    let said = format!("{}{}", told.stdout, told.stderr);
    findings.look(secrets, "what backup says", said.as_bytes(), "rows in", &[]);
    findings.look(secrets, "backup", &places::unpacked(&file), MARK, &[]);
    for (arguments, mark) in [(["audit", "verify"].as_slice(), "is intact"), (&["config"], "master_key")] {
        let told = run(it.command(arguments));
        let told = format!("{}\n{}", told.stdout, told.stderr);
        findings.look(secrets, arguments[0], told.as_bytes(), mark, &[]);
    }
}

/// What a process logs until it stops, and another one on the same data until it crashes.
async fn is_logged(mut it: Installation, password: &str, findings: &mut Findings) {
    // Its surroundings allow an image of its memory, wherever the machine would put one.
    let allowing = "ulimit -c unlimited 2>&1 || ulimit -c \"$(ulimit -H -c)\"; exec \"$0\" serve";
    let crashing = ["-c", allowing, binary().to_str().unwrap()].map(str::to_owned);
    let arguments: Vec<&str> = crashing.iter().map(String::as_str).collect();
    let mut again = command(Path::new("sh"), &arguments, &it.database);
    again.envs(it.settings.iter().map(|(name, value)| (*name, value.as_str())));
    let early = it.collector.spans().len();
    let stopped = it.process.stop("TERM");
    for part in
        ["\"http.route\":\"/api/settings/tokens\"", "\"http.route\":\"/api/applications/{id}/credentials\""]
    {
        findings.look(&it.secrets, "log", stopped.stderr.as_bytes(), part, &[]);
    }
    assert!(stopped.stderr.contains("\"level\":\"TRACE\""), "nothing is left out");
    let panics: Vec<_> = stopped.stderr.lines().filter(|line| line.contains("panicked")).collect();
    findings.look(&it.secrets, "panics", panics.join("\n").as_bytes(), "\"panic.place\":", &[]);
    // The last ones are sent when a process stops.
    let spans = it.collector.spans();
    assert!(spans.len() >= early.max(100), "{early} spans, and {} in the end", spans.len());
    let spans = serde_json::Value::from(spans).to_string();
    findings.look(&it.secrets, "spans of all", spans.as_bytes(), "/api/settings/tokens", &[]);
    findings.look(&it.secrets, "standard output", format!("\n{}", stopped.stdout).as_bytes(), "\n", &[]);

    it.process = ForecourtProcess::start(again);
    let told = it.client("admin").with_basic("admin", &it.first_password).get("/api/me").await;
    assert_eq!(told.status, 401, "it was for one time");
    it.client("admin").with_basic("admin", password).get("/api/me").await.expect(200);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", it.process.id())).unwrap();
    let image = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(
        image.split_ascii_whitespace().nth(4),
        Some("0"),
        "no image of its memory is written: {image}"
    );
    let crashed = it.process.stop("ABRT");
    assert!(!crashed.status.success(), "{}", crashed.status);
    findings.look(
        &it.secrets,
        "log of a crash",
        crashed.stderr.as_bytes(),
        "\"http.route\":\"/api/me\"",
        &[],
    );
    let left = places::database(&it.database);
    findings.look(&it.secrets, "database after a crash", &left, MARK, &[]);
}
