//! What commands say of settings that hold secrets, right and wrong.

use forecourt_it::{
    TestDatabase,
    processes::{Ended, binary, command, run},
};

use super::{places::Findings, searches::Secrets};

fn told(ended: &Ended) -> Vec<u8> {
    format!("{}\n{}", ended.stdout, ended.stderr).into_bytes()
}

/// Settings that are right but for one line, which stands beside those with secrets.
fn mistakes(secrets: &mut Secrets) -> Vec<(String, &'static str)> {
    let mut secret = |kind| secrets.plain(kind);
    let whole = format!(
        "database:\n  url: \"postgres://ann:{}@127.0.0.1:1/forecourt?sslpassword={}\"\n\
         gateway:\n  redis: {{ url: \"redis://ann:{}@127.0.0.1:1\" }}\n\
         bootstrap:\n  admin_password: {}\n",
        secret("database.url"),
        secret("database.url"),
        secret("gateway.redis.url"),
        secret("bootstrap.admin_password"),
    );
    let key = secret("security.master_key");
    let collector = format!("http://ann:{}@127.0.0.1:4318", secret("telemetry.otlp_endpoint"));
    let console = format!("https://ann:{}@console.example.com", secret("admin.public_url"));
    vec![
        (format!("{whole}  admin_username: [\n"), "is not valid YAML"),
        (format!("{whole} site: x\n  y: {{\n"), "is not valid YAML"),
        (format!("{whole}  admin_pasword: x\n"), "unknown setting bootstrap.admin_pasword"),
        (format!("{whole}site: {{ listen: nowhere }}\n"), "setting site.listen"),
        (format!("{whole}security: {{ master_key: {key} }}\n"), "setting security.master_key"),
        (format!("{whole}security: {{ master_key: [{key}] }}\n"), "setting security.master_key"),
        (
            format!("{whole}telemetry: {{ otlp_endpoint: \"{collector}\" }}\n"),
            "setting telemetry.otlp_endpoint",
        ),
        (format!("{whole}admin: {{ public_url: \"{console}\" }}\n"), "setting admin.public_url"),
        (whole.replace("redis://", "radish://"), "setting gateway.redis.url"),
        (whole.replace("postgres://", "mysql://"), "setting database.url"),
        (
            whole.replace("url: \"postgres", "url: [\"postgres").replace("\"\ngateway", "\"]\ngateway"),
            "setting database.url",
        ),
    ]
}

#[test]
fn no_command_repeats_a_secret_of_settings_that_it_refuses() {
    let (database, mut secrets, mut findings) =
        (TestDatabase::new(), Secrets::default(), Findings::default());
    let file = database.folder().join("forecourt.yaml");
    let path = file.to_str().unwrap().to_owned();
    for (settings, expected) in mistakes(&mut secrets) {
        std::fs::write(&file, settings).unwrap();
        for name in ["serve", "config", "migrate"] {
            let mut asked = command(&binary(), &[name, "--config", &path], &database);
            // What stands in the environment wins over the file.
            for variable in ["DATABASE__URL", "SITE__LISTEN"] {
                asked.env_remove(format!("FORECOURT__{variable}"));
            }
            asked.env("FORECOURT_LOG", "trace");
            let ended = run(asked);
            assert_eq!(ended.status.code(), Some(1), "{name}: {}", ended.stdout);
            findings.look(&secrets, &format!("{name}, {expected}"), &told(&ended), expected, &[]);
        }
    }
    findings.are_none(33);
}

#[test]
fn no_command_repeats_the_secrets_of_settings_that_are_right() {
    let (database, mut secrets, mut findings) =
        (TestDatabase::new(), Secrets::default(), Findings::default());
    let url = format!("postgres://ann:{}@127.0.0.1:1/forecourt", secrets.plain("database.url"));
    let redis = format!("redis://ann:{}@127.0.0.1:1", secrets.plain("gateway.redis.url"));
    let key = secrets.master_key();
    let password = secrets.given("bootstrap.admin_password");
    let backup = database.folder().join("none").display().to_string();
    for (arguments, mark) in [
        (["config"].as_slice(), "ann:******@127.0.0.1"),
        // Nobody listens there.
        (&["serve"], "forecourt: "),
        (&["migrate"], "forecourt: "),
        (&["migrate", "--to", &url], "forecourt: "),
        (&["backup", "--to", &backup], "forecourt: "),
        (&["audit", "verify"], "forecourt: "),
    ] {
        let mut asked = command(&binary(), arguments, &database);
        for (name, value) in [
            ("FORECOURT__DATABASE__URL", &url),
            ("FORECOURT__GATEWAY__REDIS__URL", &redis),
            ("FORECOURT__SECURITY__MASTER_KEY", &key),
            ("FORECOURT__BOOTSTRAP__ADMIN_PASSWORD", &password),
        ] {
            asked.env(name, value);
        }
        asked.env("FORECOURT_LOG", "trace");
        let ended = run(asked);
        findings.look(&secrets, &arguments.join(" "), &told(&ended), mark, &[]);
    }
    findings.are_none(6);
}

#[test]
fn a_node_repeats_no_secret_of_its_options() {
    let (database, mut secrets, mut findings) =
        (TestDatabase::new(), Secrets::default(), Findings::default());
    let folder = database.folder().join("node").display().to_string();
    let token = secrets.plain("instance token");
    let planes = format!("https://ann:{}@127.0.0.1:1", secrets.plain("control plane"));
    let redis = format!("radish://ann:{}@127.0.0.1:1", secrets.plain("redis"));
    let collector = format!("http://ann:{}@127.0.0.1:1", secrets.plain("collector"));
    let right = "https://127.0.0.1:1";
    for (arguments, mark) in [
        (vec!["--help"], "FORECOURT_GATEWAY_TOKEN"),
        (vec!["--control-plane", &planes], "--control-plane must be"),
        (vec!["--control-plane", right, "--redis-url", &redis], "--redis-url"),
        (vec!["--control-plane", right, "--otlp-endpoint", &collector], "--otlp-endpoint"),
        (vec!["--control-plane", right, "--redis-timeout-ms", "0"], "--redis-timeout-ms"),
    ] {
        let whole = [vec!["gateway", "--data-dir", &folder, "--listen", "127.0.0.1:0"], arguments].concat();
        let mut asked = command(&binary(), &whole, &database);
        asked.env("FORECOURT_GATEWAY_TOKEN", format!("{token}.{}", "0a".repeat(32)));
        if mark == "FORECOURT_GATEWAY_TOKEN" {
            asked.env("FORECOURT_GATEWAY_CONTROL_PLANE", &planes).env("FORECOURT_GATEWAY_REDIS_URL", &redis);
            asked.env("FORECOURT_GATEWAY_OTLP_ENDPOINT", &collector);
        }
        asked.env("FORECOURT_LOG", "trace");
        findings.look(&secrets, mark, &told(&run(asked)), mark, &[]);
    }
    findings.are_none(5);
}
