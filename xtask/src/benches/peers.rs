//! What the gateway is compared with: settings of nginx and HAProxy, each as one process that does the same work.
//!
//! With keys, both look the key up in a map of theirs, refuse what is not in it, and name the application to the
//! upstream, as the gateway does.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// What the upstream answers: about 100 bytes.
pub(super) const ANSWER: &str = r#"
    default_type application/json;
    location / { return 200 '{"id":"ord_0198c0a5","state":"shipped","items":3,"total":"129.90","currency":"EUR","note":"at the door"}'; }
"#;

/// The key of the caller with this number, the same for all proxies.
pub(super) fn key(number: usize) -> String {
    format!("bench-key-{number:08}")
}

/// nginx before an upstream at this port, with a map of so many keys: what stands outside and inside of `server`.
pub(super) fn nginx_proxy(
    folder: &Path,
    upstream: u16,
    keys: Option<usize>,
) -> Result<(String, String), String> {
    let mut outside = format!(
        "upstream behind {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000000; }}\n"
    );
    let mut check = "";
    if let Some(keys) = keys {
        let map = written_map(folder, keys, ";")?;
        // As large as nginx asks for with a map of this size; with smaller tables it refuses to start.
        let size = (keys * 2).max(2_048);
        let _ = write!(
            outside,
            "map_hash_max_size {size}; map_hash_bucket_size 128;\n\
             map $http_apikey $application {{ default \"\"; include {}; }}\n",
            map.display()
        );
        check = "if ($application = \"\") { return 401; } proxy_set_header X-Consumer-Username $application;";
    }
    let inside = format!(
        "location / {{ {check} proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection \"\"; }}"
    );
    Ok((outside, inside))
}

/// The settings of nginx with one worker that listens on `port`, its files in `scratch`.
pub(super) fn nginx(port: u16, outside: &str, inside: &str, scratch: &Path) -> String {
    let scratch = scratch.display();
    format!(
        "daemon off; master_process off; worker_processes 1; pid {scratch}/pid; error_log stderr crit;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n\
         access_log off; keepalive_requests 1000000000;\n\
         client_body_temp_path {scratch}/a; proxy_temp_path {scratch}/b; fastcgi_temp_path {scratch}/c;\n\
         uwsgi_temp_path {scratch}/d; scgi_temp_path {scratch}/e;\n\
         {outside}\n\
         server {{ listen 127.0.0.1:{port}; {inside} }}\n\
         }}\n"
    )
}

/// The settings of HAProxy with one thread, before an upstream at this port, with a map of so many keys.
pub(super) fn haproxy(
    folder: &Path,
    port: u16,
    upstream: u16,
    keys: Option<usize>,
) -> Result<String, String> {
    let check = match keys {
        Some(keys) => {
            let map = written_map(folder, keys, "")?;
            let map = map.display();
            format!(
                " http-request set-var(txn.application) req.hdr(apikey),map_str({map})\n \
                 http-request deny deny_status 401 unless {{ var(txn.application) -m found }}\n \
                 http-request set-header X-Consumer-Username %[var(txn.application)]\n"
            )
        }
        None => String::new(),
    };
    Ok(format!(
        "global\n nbthread 1\n maxconn 4096\n\
         defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n http-reuse always\n\
         frontend callers\n bind 127.0.0.1:{port}\n{check} default_backend behind\n\
         backend behind\n server upstream 127.0.0.1:{upstream}\n"
    ))
}

/// A file with a line for each key: key, application, and what ends a line.
fn written_map(folder: &Path, keys: usize, end: &str) -> Result<PathBuf, String> {
    let file = folder.join(format!("keys-{keys}{}", if end.is_empty() { "" } else { "-nginx" }));
    let mut text = String::new();
    for number in 0..keys {
        let _ = writeln!(text, "{} app_{number:032}{end}", key(number));
    }
    fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nginx_listens_on_loopback_alone_and_keeps_its_files_together() {
        let settings = nginx(4711, "", "location / {}", Path::new("/scratch"));
        assert!(settings.contains("listen 127.0.0.1:4711;"));
        assert_eq!(settings.matches("listen ").count(), 1);
        assert!(settings.contains("pid /scratch/pid;"));
    }

    #[test]
    fn haproxy_without_keys_checks_nothing_and_listens_on_loopback_alone() {
        let settings = haproxy(Path::new("/scratch"), 4711, 4712, None).unwrap();
        assert!(settings.contains("bind 127.0.0.1:4711\n default_backend behind"), "{settings}");
        assert_eq!(settings.matches("bind ").count(), 1);
    }
}
