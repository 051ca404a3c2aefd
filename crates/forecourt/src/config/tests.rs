//! What settings may be, what wins, and what is said about those that may not be.

use std::time::Duration;

use super::*;

fn load(pairs: &[(&str, &str)]) -> Result<Settings, String> {
    let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings::load(None, pairs).map_err(|error| error.to_string())
}

fn from_file(text: &str, pairs: &[(&str, &str)]) -> Result<Settings, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forecourt.yaml");
    std::fs::write(&path, text).unwrap();
    let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings::load(Some(&path), pairs)
        .map_err(|error| error.to_string().replace(&path.display().to_string(), "FILE"))
}

#[test]
fn without_a_file_the_defaults_hold() {
    assert_eq!(load(&[("PATH", "/bin"), ("FORECOURT_LOG", "debug")]).unwrap(), Settings::default());
}

#[test]
fn the_file_beats_the_defaults_and_the_environment_beats_the_file() {
    let file = "site: { listen: 127.0.0.1:1 }\nportal_api:\n  listen: 127.0.0.1:2\ngateway:\n";
    let settings = from_file(file, &[("FORECOURT__PORTAL_API__LISTEN", "127.0.0.1:3")]).unwrap();
    assert_eq!(settings.site.listen, "127.0.0.1:1");
    assert_eq!(settings.portal_api.listen, "127.0.0.1:3");
    assert_eq!(settings.gateway, Settings::default().gateway);
}

#[test]
fn a_list_comes_from_the_environment_with_commas() {
    let settings = load(&[("FORECOURT__SECURITY__TRUSTED_PROXIES", "10.0.0.1, fd00::/8")]).unwrap();
    assert_eq!(settings.security.trusted_proxies, ["10.0.0.1", "fd00::/8"]);
}

#[test]
fn browsers_are_not_told_to_come_by_tls_alone_unless_it_is_set() {
    assert_eq!(load(&[]).unwrap().security.hsts_seconds, 0);
    let key = "FORECOURT__SECURITY__HSTS_SECONDS";
    assert_eq!(load(&[(key, "600")]).unwrap().security.hsts_seconds, 600);
    assert!(load(&[(key, "-1")]).is_err());
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    let expected = "unknown setting admin.lisen: did you mean admin.listen?";
    assert_eq!(from_file("admin: { lisen: 127.0.0.1:1 }", &[]).unwrap_err(), expected);
    assert_eq!(load(&[("FORECOURT__ADMIN__LISEN", "x")]).unwrap_err(), expected);
    let whole = from_file("gatway: { group: a }", &[]).unwrap_err();
    assert_eq!(whole, "unknown setting gatway.group: did you mean gateway.group?");
}

#[test]
fn the_audit_log_is_kept_for_a_day_at_least() {
    assert_eq!(load(&[]).unwrap().audit.retention_days, 60);
    assert_eq!(load(&[("FORECOURT__AUDIT__RETENTION_DAYS", "7")]).unwrap().audit.retention_days, 7);
    let refused = from_file("audit: { retention_days: 0 }", &[]).unwrap_err();
    assert_eq!(refused, "setting audit.retention_days must be from 1 to 36500 days; it is 0");
}

#[test]
fn a_length_of_time_has_a_unit() {
    assert!(from_file("gateway: { max_staleness: 90m }", &[]).is_ok());
    let refused = from_file("gateway: { max_staleness: soon }", &[]).unwrap_err();
    assert!(
        refused.starts_with("setting gateway.max_staleness must be a whole number with ms, s"),
        "{refused}"
    );
}

#[test]
fn a_value_of_the_wrong_kind_is_refused_with_its_key() {
    let text = from_file("data_dir: [a]", &[]).unwrap_err();
    assert_eq!(text, "setting data_dir must be a text, such as \"./data\"");
    let number = from_file("bootstrap: { admin_password: 12345 }", &[]).unwrap_err();
    assert_eq!(number, "setting bootstrap.admin_password must be a text: put it in quotes");
    let group = from_file("admin: 127.0.0.1:1", &[]).unwrap_err();
    assert_eq!(group, "setting admin must have keys below it, such as admin.listen");
    let list = from_file("security: { trusted_proxies: 10.0.0.1 }", &[]).unwrap_err();
    assert_eq!(list, "setting security.trusted_proxies must be a list of texts");
    let address = load(&[("FORECOURT__SITE__LISTEN", "3001")]).unwrap_err();
    assert!(address.starts_with("setting site.listen must be HOST:PORT"), "{address}");
    let url = load(&[("FORECOURT__DATABASE__URL", "mysql://x")]).unwrap_err();
    assert!(url.starts_with("setting database.url must be empty"), "{url}");
    let proxy = load(&[("FORECOURT__SECURITY__TRUSTED_PROXIES", "10.0.0.0/33")]).unwrap_err();
    assert!(proxy.contains("\"10.0.0.0/33\" is neither"), "{proxy}");
    let key = load(&[("FORECOURT__SECURITY__MASTER_KEY", "s3cret")]).unwrap_err();
    assert!(key.starts_with("setting security.master_key must be 64 hex digits"), "{key}");
    assert!(!key.contains("s3cret"), "{key}");
    let code = load(&[("FORECOURT__SECURITY__IP_RESTRICTION__RESPONSE_CODE", "no")]).unwrap_err();
    assert_eq!(code, "setting security.ip_restriction.response_code must be a whole number, such as 403");
    let none = from_file("security: { failed_sign_ins: { per_account: 0 } }", &[]).unwrap_err();
    assert_eq!(none, "setting security.failed_sign_ins.per_account must be from 1 to 1000000; it is 0");
    let code = from_file("security: { ip_restriction: { response_code: 200 } }", &[]).unwrap_err();
    assert!(code.contains("must be a status from 400 to 599"), "{code}");
}

#[test]
fn a_file_that_is_no_yaml_or_not_there_is_named() {
    assert!(from_file("a: [", &[]).unwrap_err().starts_with("the configuration file FILE is not valid YAML"));
    let quoting =
        from_file("bootstrap:\n  admin_password: planted-1\n  admin_username: [\n", &[]).unwrap_err();
    assert!(
        quoting.contains("line ") && !quoting.contains("planted"),
        "the lines around may hold secrets: {quoting}"
    );
    let missing = Settings::load(Some(Path::new("/nowhere/f.yaml")), []).unwrap_err().to_string();
    assert!(missing.starts_with("the configuration file /nowhere/f.yaml cannot be read"), "{missing}");
}

#[test]
fn beyond_loopback_the_first_password_is_random_unless_it_is_set() {
    let open = ("FORECOURT__ADMIN__LISTEN", "0.0.0.0:7080");
    assert_eq!(load(&[open]).unwrap().bootstrap.admin_password, "");
    let chosen = [open, ("FORECOURT__BOOTSTRAP__ADMIN_PASSWORD", "admin")];
    assert_eq!(load(&chosen).unwrap().bootstrap.admin_password, "admin");
    let local = load(&[("FORECOURT__ADMIN__LISTEN", "[::1]:7080")]).unwrap();
    assert_eq!(local.bootstrap.admin_password, "admin");
}

#[test]
fn a_password_that_makes_its_url_malformed_is_not_shown_either() {
    for url in [
        "postgres://ann:s3cret?x@db/f",
        "postgres://ann:x?s3cret@db/f",
        "postgres://ann:s3cret@db/f?sslpassword=s3cret",
        "postgres://ann:a/s3cret@s3cret@db/f",
        "postgres://db/f?PASSWORD=s3cret@x&password=s3cret",
        "postgres://ann:s3cret?password=s3cret@db/f",
    ] {
        let shown = super::mask_password(url);
        assert!(!shown.contains("s3cret") && shown.starts_with("postgres://"), "{url}: {shown}");
    }
    assert_eq!(
        super::mask_password("postgres://db/f?sslmode=require&x=1"),
        "postgres://db/f?sslmode=require&x=1"
    );
    assert_eq!(
        super::mask_password("postgres://ann@db/f?password=a&sslmode=require"),
        "postgres://ann@db/f?password=******&sslmode=require"
    );
}

#[test]
fn what_is_printed_holds_no_password() {
    let url = "postgres://ann:s3cret@db.example.com/forecourt?sslmode=require&password=s3cret";
    let key = "5a".repeat(32);
    let pairs = [("FORECOURT__DATABASE__URL", url), ("FORECOURT__SECURITY__MASTER_KEY", &key)];
    let settings = load(&pairs).unwrap();
    let printed = settings.masked().to_yaml().unwrap();
    assert!(!printed.contains("5a5a"), "{printed}");
    assert!(!printed.contains("s3cret"), "{printed}");
    assert!(printed.contains("ann:******@db.example.com/forecourt"), "{printed}");
    assert!(!printed.contains("admin_password: admin"), "{printed}");
}

#[test]
fn what_is_printed_can_be_read_again() {
    let printed = Settings::default().to_yaml().unwrap();
    assert_eq!(from_file(&printed, &[]).unwrap(), Settings::default());
}

#[test]
fn a_copy_is_kept_from_telling_anybody_by_one_variable_and_links_that_decide_are_asked_for() {
    let usual = Settings::default();
    assert!(usual.background.outgoing && !usual.notifications.approval_links);
    let copy =
        from_file("audit: { retention_days: 30 }", &[("FORECOURT__BACKGROUND__OUTGOING", "false")]).unwrap();
    assert!(!copy.background.outgoing);
}

#[test]
fn where_our_own_calls_may_go_is_set_by_addresses_networks_and_names() {
    let text = "security: { ssrf_protection: { enable: true, allow_list: [10.0.0.0/8, \"*.idp.example\"] } }";
    let settings =
        from_file(text, &[("FORECOURT__SECURITY__SSRF_PROTECTION__DENY_LIST", "bad.example, ::1")]);
    let rules = settings.unwrap().security.ssrf_protection.rules();
    let check = |host: &str, address: &str| rules.check(host, address.parse().unwrap()).is_ok();
    assert!(check("any", "10.1.2.3") && check("a.idp.example", "192.168.0.1") && check("any", "8.8.8.8"));
    assert!(
        !check("any", "192.168.0.1") && !check("bad.example", "8.8.8.8") && !check("a.idp.example", "::1")
    );
    let enable = "FORECOURT__SECURITY__SSRF_PROTECTION__ENABLE";
    assert!(load(&[(enable, "true")]).unwrap().security.ssrf_protection.rules().enable);
    assert!(!load(&[]).unwrap().security.ssrf_protection.rules().enable);
    let refused = load(&[(enable, "perhaps")]).unwrap_err();
    assert_eq!(refused, "setting security.ssrf_protection.enable must be true or false");
    let refused = from_file("security: { ssrf_protection: { deny_list: [http://x/] } }", &[]).unwrap_err();
    assert!(refused.starts_with("setting security.ssrf_protection.deny_list must list"), "{refused}");
}

#[test]
fn where_people_reach_the_console_is_the_url_of_a_root_or_not_said() {
    let key = "FORECOURT__ADMIN__PUBLIC_URL";
    for url in ["", "https://admin.example.com", "https://a.example:7443/", "http://[::1]:80"] {
        assert_eq!(load(&[(key, url)]).unwrap().admin.public_url, url);
    }
    for url in [
        "admin.example.com",
        "ftp://a.example",
        "https://",
        "https://a.example/console",
        "https://a.example//",
        "https://a.example?x",
        "https://a.example#x",
        "https://a.example\\x",
        " https://a.example",
        "https://a.ex\tample",
    ] {
        let refused = load(&[(key, url)]).unwrap_err();
        assert!(refused.starts_with("setting admin.public_url must be http:// or https://"), "{refused}");
    }
    let refused = load(&[(key, "https://ann:s3cret@a.example")]).unwrap_err();
    assert_eq!(refused, "setting admin.public_url must have no user name and no password");
}

#[test]
fn limits_of_the_gateway_are_whole_numbers_within_their_range() {
    let settings = from_file("gateway: { limits: { max_request_body_bytes: 10000000000 } }", &[]).unwrap();
    assert_eq!(settings.gateway.limits.max_request_body_bytes, 10_000_000_000);
    let settings = load(&[("FORECOURT__GATEWAY__LIMITS__MAX_CONNECTIONS", "70000")]).unwrap();
    assert_eq!(settings.gateway.limits.max_connections, 70_000);
    let config = settings.gateway.config(Vec::new(), Default::default(), std::time::Duration::from_secs(1));
    assert_eq!(config.max_connections, 70_000);
    let text = from_file("gateway: { limits: { max_head_fields: 0 } }", &[]).unwrap_err();
    assert_eq!(text, "setting gateway.limits.max_head_fields must be from 1 to 1000; it is 0");
    for value in ["-1", "1.5", "many"] {
        let text =
            from_file(&format!("gateway: {{ limits: {{ max_connections: {value} }} }}"), &[]).unwrap_err();
        assert_eq!(text, "setting gateway.limits.max_connections must be a whole number, such as 10000");
    }
}

#[test]
fn a_redis_that_cannot_be_meant_is_refused_and_its_password_is_never_shown() {
    for (name, value, problem) in [
        ("URL", "http://:s3cret@h", "setting gateway.redis.url must be redis://"),
        ("URL", "redis://:s3cret@h/x", "setting gateway.redis.url must end in the number of a database"),
        ("TIMEOUT_MS", "0", "setting gateway.redis.timeout_ms must be from 1 to 1000; it is 0"),
    ] {
        let name = format!("FORECOURT__GATEWAY__REDIS__{name}");
        let refused = load(&[(name.as_str(), value)]).unwrap_err();
        assert!(refused.starts_with(problem) && !refused.contains("s3cret"), "{refused}");
    }
    let settings = load(&[("FORECOURT__GATEWAY__REDIS__URL", "redis://:s3cret@h:7000/1")]).unwrap();
    assert_eq!(settings.masked().gateway.redis.url, "redis://:******@h:7000/1");
}

/// What the gateway is told by these settings, with nothing of other sections.
fn gateway_config(settings: &Settings) -> forecourt_gateway::Config {
    settings.gateway.config(Vec::new(), Default::default(), Duration::from_secs(7))
}

#[test]
fn the_gateway_s_ports_and_limits_are_those_that_are_promised() {
    let settings = Settings::default();
    assert_eq!(settings.gateway.listen, "127.0.0.1:9080");
    assert_eq!(settings.gateway.tls_listen, "127.0.0.1:9443");
    let config = gateway_config(&settings);
    assert_eq!(config.header_timeout, Duration::from_secs(10));
    assert_eq!(config.body_idle_timeout, Duration::from_secs(60));
    assert_eq!(config.max_head_bytes, 32 * 1024);
    assert_eq!(config.max_head_fields, 100);
}

#[test]
fn each_limit_reaches_the_gateway_under_its_own_name() {
    let text = "gateway: { limits: { max_connections: 1001, max_requests_in_flight: 1002, \
        max_request_body_bytes: 1003, max_head_bytes: 1024, max_head_fields: 105, header_timeout_ms: 1006, \
        keep_alive_timeout_ms: 1007, body_idle_timeout_ms: 1008 } }";
    let config = gateway_config(&from_file(text, &[]).unwrap());
    assert_eq!(config.max_connections, 1_001);
    assert_eq!(config.max_requests_in_flight, 1_002);
    assert_eq!(config.max_request_body_bytes, 1_003);
    assert_eq!(config.max_head_bytes, 1_024);
    assert_eq!(config.max_head_fields, 105);
    assert_eq!(config.header_timeout, Duration::from_millis(1_006));
    assert_eq!(config.keep_alive_timeout, Duration::from_millis(1_007));
    assert_eq!(config.body_idle_timeout, Duration::from_millis(1_008));
    assert_eq!(config.drain_timeout, Duration::from_secs(7));
}
