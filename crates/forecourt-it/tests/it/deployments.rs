//! The script that starts a gateway: run as it is, with the real binary, and with a container's runtime in its place.

use std::{
    fs,
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use forecourt_it::{Client, Forecourt, HeldPort, deadlines::eventually, processes::binary};

const PATH: &str = "/api/gateway_groups/default/deployment/docker";

/// How long a script may take.
const PROMISED: Duration = Duration::from_secs(15);

/// The gateway of a folder: ended with its story.
struct Started<'a>(&'a Path);

impl Started<'_> {
    /// The process id of the gateway `edge`, as its script noted it.
    fn id(&self) -> String {
        fs::read_to_string(self.0.join("gateway-edge/pid")).unwrap_or_default().trim().to_owned()
    }
}

impl Drop for Started<'_> {
    fn drop(&mut self) {
        let id = self.id();
        if !id.is_empty() {
            Command::new("kill").args(["-s", "KILL", &id]).status().ok();
        }
    }
}

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

async fn script(f: &Forecourt, query: &str) -> String {
    let answer = f.admin().await.get(&format!("{PATH}?{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text()
}

/// Runs a script as a file, its gateways and their state in `folder`.
fn run(script: &str, folder: &Path, program: &Path, path: Option<&str>) -> Output {
    let file = folder.join("script.sh");
    fs::write(&file, script).unwrap();
    let mut shell = Command::new("sh");
    shell.arg(&file).env("FORECOURT_BIN", program).env("FORECOURT_STATE_DIR", folder);
    shell.env("FORECOURT_LISTEN_HOST", "127.0.0.1").stdin(Stdio::null());
    if let Some(path) = path {
        shell.env("PATH", path);
    }
    shell.output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_ends_while_its_gateway_serves_and_a_second_one_of_that_name_takes_its_place() {
    let f = Forecourt::start_with(|settings| settings.sync.listen = "127.0.0.1:0".into()).await;
    let orders = f.product("Orders").await;
    let key = f.developer("ada").await.application("demo").await.subscribe(&orders).await.key("k").await;
    let folder = tempfile::tempdir().unwrap();
    let started = Started(folder.path());
    let held = [(); 4].map(|()| HeldPort::free());
    let [a, b, c, d] = held.each_ref().map(HeldPort::number);
    let (first, second) = ((a, b), (c, d));
    let mut earlier = String::new();
    // Another port, and then the very port that the earlier gateway holds.
    for (http, https) in [first, second, second] {
        let query = format!("name=edge&gateway_group_id=default&http_port={http}&https_port={https}");
        let text = script(&f, &query).await;
        let asked = Instant::now();
        let told = run(&text, folder.path(), &binary(), None);
        assert!(told.status.success(), "{told:?}");
        assert!(asked.elapsed() < PROMISED, "{:?}", asked.elapsed());
        assert!(listens(http) && listens(https), "{told:?}");
        assert_ne!(started.id(), earlier, "it is another process");
        earlier = started.id();
        let gateway = Client::new(format!("http://127.0.0.1:{http}"));
        gateway.get(&orders.path).await.expect(401);
        eventually("the gateway should hear of the key", || async {
            (gateway.with("apikey", &key.key).get(&orders.path).await.status == 200).then_some(())
        })
        .await;
    }
    assert!(!listens(first.0) && !listens(first.1), "the replaced one is gone");
    let nodes = f.admin().await.get("/api/forecourt/nodes?gateway_group_id=default").await.expect(200);
    let edges = nodes["list"].as_array().unwrap().iter().filter(|node| node["name"] == "edge").count();
    assert_eq!(edges, 1, "one node that moved: {nodes}");
}

/// A runtime that notes what it is asked, has no containers and starts none.
fn runtime(folder: &Path) {
    let program = folder.join("docker");
    let text = "#!/bin/sh\nfor word in \"$@\"; do printf '%s\\n' \"$word\"; done >>\"$FORECOURT_STATE_DIR/asked\"\n\
                printf 'token %s\\n' \"${FORECOURT_GATEWAY_TOKEN:-}\" >>\"$FORECOURT_STATE_DIR/environment\"\n\
                [ \"$1\" = ps ]\n";
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn without_a_program_the_script_starts_a_container_of_forecourts_own_image() {
    let f = Forecourt::start().await;
    let folder = tempfile::tempdir().unwrap();
    runtime(folder.path());
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let mut tokens = Vec::new();
    for (image, runs) in [
        ("registry.example%2Fteam%2Fforecourt:9", "registry.example/team/forecourt:9"),
        ("api7%2Fgateway:3", "forecourt:"),
    ] {
        fs::remove_file(folder.path().join("asked")).ok();
        fs::remove_file(folder.path().join("environment")).ok();
        let held = [(); 2].map(|()| HeldPort::free());
        let [http, https] = held.each_ref().map(HeldPort::number);
        let query = format!(
            "name=edge&http_port={http}&https_port={https}&image={image}&dp_manager_address=cp.example\
             &extra_args[]=--memory&extra_args[]=1g%20%24(id)"
        );
        let text = script(&f, &query).await;
        let told = run(&text, folder.path(), &folder.path().join("missing"), Some(&path));
        assert!(!told.status.success());
        let said = String::from_utf8_lossy(&told.stderr).into_owned();
        assert!(said.contains("the container edge could not be started"), "{said}");
        let asked = fs::read_to_string(folder.path().join("asked")).unwrap();
        let words: Vec<_> = asked.lines().collect();
        let follows =
            |word: &str, next: &str| words.windows(2).any(|pair| pair[0] == word && pair[1] == next);
        for (word, next) in [
            ("run", "-d"),
            ("--name", "edge"),
            ("--label", "forecourt.gateway=default"),
            ("-p", format!("{http}:9080").as_str()),
            ("-p", format!("{https}:9443").as_str()),
            ("--memory", "1g $(id)"),
            ("--control-plane", "https://cp.example:7943"),
        ] {
            assert!(follows(word, next), "{word} {next}: {asked}");
        }
        let own = words.iter().position(|word| *word == "gateway").map(|place| words[place - 1]);
        assert!(own.is_some_and(|own| own.starts_with(runs)), "{own:?} of {image}");
        assert!(!asked.contains("a7dp-"), "the token stands in no command line: {asked}");
        let told = fs::read_to_string(folder.path().join("environment")).unwrap();
        let token = told.lines().find_map(|line| line.strip_prefix("token a7dp-")).map(str::to_owned);
        tokens.push(token.unwrap_or_else(|| panic!("no token: {told}")));
    }
    assert_ne!(tokens[0], tokens[1], "each script brings a fresh one");
}
