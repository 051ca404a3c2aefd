//! Where secrets are looked for: everything that an installation answers, shows, sends and stores.
//!
//! Invariant: no place is empty, and each holds what was planted beside the secrets, so that a search that looks at
//! nothing fails. Exceptions are named by kind, each where it is made, with its reason.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use forecourt_it::{Browser, Client, TestDatabase, postgres};
use serde_json::Value;

use super::searches::Secrets;

/// Who asks is sent elsewhere, or begins something.
const NO_READINGS: [&str; 5] = ["/login", "/callback", "/finish", "/metadata", "/deployment/docker"];

/// What was found, place by place, so that one run tells of every leak.
#[derive(Default)]
pub(super) struct Findings {
    found: Vec<String>,
    places: usize,
}

impl Findings {
    /// Looks for every secret but those of the kinds `except` in a place, which holds `mark`; where that is empty,
    /// anything.
    #[track_caller]
    pub(super) fn look(&mut self, secrets: &Secrets, place: &str, bytes: &[u8], mark: &str, except: &[&str]) {
        self.places += 1;
        let marked = match mark.len() {
            0 => !bytes.is_empty(),
            length => bytes.windows(length).any(|part| part == mark.as_bytes()),
        };
        assert!(
            marked,
            "{place} ({} bytes) does not hold {mark:?}: it is not what should be searched",
            bytes.len()
        );
        let found = secrets.found_in(bytes, except);
        self.found.extend(found.into_iter().map(|found| format!("{place}: {found}")));
    }

    /// Fails with everything that was found.
    #[track_caller]
    pub(super) fn are_none(&self, places: usize) {
        assert!(self.found.is_empty(), "secrets are told:\n{}", self.found.join("\n"));
        assert!(self.places >= places, "{} places were searched, {places} should be", self.places);
    }
}

/// Every reading answer of an API, by path: lists, and each thing of each list. `portal` is named where one must be.
pub(super) async fn answers(
    client: &Client,
    document: &str,
    fixed: &[(&str, &str)],
    portal: &str,
) -> BTreeMap<String, Vec<u8>> {
    let document: Value = serde_json::from_str(document).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let readings = paths.iter().filter(|(_, of)| of.get("get").is_some()).map(|(path, _)| path.as_str());
    let mut readings: Vec<_> =
        readings.filter(|path| !NO_READINGS.iter().any(|other| path.ends_with(other))).collect();
    // Lists come before what is in them.
    readings.sort_by_key(|path| path.matches('/').count());
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (list, id) in fixed {
        known.entry((*list).to_owned()).or_default().insert((*id).to_owned());
    }
    let mut answers = BTreeMap::new();
    for reading in readings {
        for path in concrete(reading, &known) {
            let group = if path.starts_with("/apisix") { "?gateway_group_id=default" } else { "" };
            let mut answer = client.get(&format!("{path}{group}")).await;
            if answer.status == 400 && group.is_empty() {
                answer = client.get(&format!("{path}?portal_id={portal}")).await;
            }
            let ids = known.entry(path.clone()).or_default();
            for row in answer.json()["list"].as_array().into_iter().flatten() {
                ids.extend(
                    ["id", "username", "developer_id"]
                        .iter()
                        .filter_map(|id| row[id].as_str().map(str::to_owned)),
                );
            }
            let mut told = format!("{} {:?}\n", answer.status, answer.headers).into_bytes();
            told.extend(&answer.body);
            answers.insert(path, told);
        }
    }
    answers
}

/// The paths that a pattern stands for, as far as the lists before it told.
fn concrete(pattern: &str, known: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut paths = vec![String::new()];
    for part in pattern.split('/').skip(1) {
        let next = |path: &String| match part.starts_with('{') {
            true => known.get(path).into_iter().flatten().map(|id| format!("{path}/{id}")).collect(),
            false => vec![format!("{path}/{part}")],
        };
        paths = paths.iter().flat_map(next).collect();
    }
    paths
}

/// Every page that links lead to from `start`, for this browser.
pub(super) async fn pages(browser: &Browser, base: &str, start: &str) -> BTreeMap<String, String> {
    /// More than there are of any sort in these stories.
    const MOST: usize = 500;
    let mut waiting = vec![start.to_owned()];
    let mut pages = BTreeMap::new();
    while let Some(path) = waiting.pop() {
        if pages.contains_key(&path) {
            continue;
        }
        assert!(pages.len() < MOST, "links lead to ever more pages: {path}");
        let page = browser.opens(&format!("{base}{path}")).await;
        let is_page =
            page.headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        if is_page {
            let linked = page.text.split("href=\"/").skip(1).filter_map(|rest| rest.split('"').next());
            let linked = linked.map(|path| format!("/{}", path.replace("&amp;", "&")));
            waiting.extend(linked.filter(|path| leads_on(path)));
        }
        let ahead = page.headers.get("location").and_then(|path| path.to_str().ok()).map(str::to_owned);
        waiting.extend(ahead.filter(|path| path.starts_with('/') && leads_on(path)));
        pages.insert(path, page.text);
    }
    pages
}

/// Whether a link leads to a page of its own: not to another order, page or part of one that is known.
fn leads_on(path: &str) -> bool {
    let elsewhere = ["/assets", "/api/", "//", "/sign-out"];
    !path.contains(['?', '#']) && !elsewhere.iter().any(|begin| path.starts_with(begin))
}

/// A whole folder, file by file. What is sealed lies beside the master key; that file is passed over by its name.
pub(super) fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if !path.ends_with("master.key") {
            files.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    files
}

/// Everything that is stored: the files of SQLite with what waits to be moved into them, or all rows of PostgreSQL.
pub(super) fn database(database: &TestDatabase) -> Vec<u8> {
    if !database.is_postgres() {
        let files = files(database.folder()).into_iter();
        return files
            .filter(|(name, _)| name.contains("forecourt.db"))
            .flat_map(|(_, bytes)| bytes)
            .collect();
    }
    let url = database.url();
    let tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'";
    let tables = postgres::query(&url, tables).unwrap();
    assert!(tables.len() > 20, "{tables:?}");
    let mut rows = String::new();
    for table in tables.iter().flatten() {
        let all = format!("SELECT whole::text FROM \"{table}\" AS whole");
        for row in postgres::query(&url, &all).unwrap() {
            rows.push_str(&row.join("\n"));
            rows.push('\n');
        }
    }
    rows.into_bytes()
}

/// What a gzip file holds, by a program that is none of ours.
pub(super) fn unpacked(file: &Path) -> Vec<u8> {
    let mut gzip =
        Command::new("gzip").arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, packed) = (gzip.stdin.take().unwrap(), std::fs::read(file).unwrap());
    let writing = std::thread::spawn(move || stdin.write_all(&packed).unwrap());
    let output = gzip.wait_with_output().unwrap();
    writing.join().unwrap();
    assert!(output.status.success(), "{} is no gzip file", file.display());
    output.stdout
}
