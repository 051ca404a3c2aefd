//! A real directory (OpenLDAP's slapd), as a process that a story starts and stops, with and without TLS.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::HeldPort;

/// Under which entry everything is.
pub const BASE_DN: &str = "dc=example,dc=com";
/// As whom people are looked for.
pub const BIND_DN: &str = "cn=reader,dc=example,dc=com";
/// The password of [`BIND_DN`].
pub const BIND_PASSWORD: &str = "a password of the reader";

/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Its people: `ada` and `grace`, and two who are both called `twin`. `bob` is called so in the directory alone. Somebody
/// who gives a name without a password is taken for nobody, and told that this is fine: RFC 4513 §5.1.2 allows it.
const PEOPLE: &str = "\
dn: dc=example,dc=com
objectClass: domain
dc: example

dn: cn=reader,dc=example,dc=com
objectClass: applicationProcess
objectClass: simpleSecurityObject
cn: reader
userPassword: a password of the reader

dn: ou=a,dc=example,dc=com
objectClass: organizationalUnit
ou: a

dn: ou=b,dc=example,dc=com
objectClass: organizationalUnit
ou: b

dn: uid=ada,ou=a,dc=example,dc=com
objectClass: inetOrgPerson
uid: ada
cn: Ada Lovelace
givenName: Ada
sn: Lovelace
mail: ada@analytical.example
userPassword: a password of ada

dn: uid=grace,ou=b,dc=example,dc=com
objectClass: inetOrgPerson
uid: grace
cn: Grace Hopper
sn: Hopper
userPassword: a password of grace

dn: uid=twin,ou=a,dc=example,dc=com
objectClass: inetOrgPerson
uid: twin
cn: Twin
sn: Twin
userPassword: a password of twins

dn: uid=twin,ou=b,dc=example,dc=com
objectClass: inetOrgPerson
uid: twin
cn: Twin
sn: Twin
userPassword: a password of twins
";

/// The directory; it ends with its owner.
#[derive(Debug)]
pub struct Directory {
    folder: TempDir,
    plain: HeldPort,
    tls: HeldPort,
    child: Option<Child>,
}

impl Directory {
    /// Starts one on free ports, which shows `certificate` with `key` (both PEM). Blocks its thread until it is ready.
    ///
    /// # Panics
    /// When slapd is not installed, or does not start.
    pub fn start(certificate: &str, key: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("db")).unwrap();
        fs::write(at("certificate.pem"), certificate).unwrap();
        fs::write(at("key.pem"), key).unwrap();
        fs::write(at("people.ldif"), PEOPLE).unwrap();
        fs::write(at("slapd.conf"), configuration(folder.path())).unwrap();
        let loaded = Command::new(program("slapadd"))
            .arg("-f")
            .arg(at("slapd.conf"))
            .arg("-l")
            .arg(at("people.ldif"))
            .output()
            .unwrap();
        assert!(loaded.status.success(), "slapadd: {}", String::from_utf8_lossy(&loaded.stderr));
        let mut directory = Self { folder, plain: HeldPort::free(), tls: HeldPort::free(), child: None };
        directory.resume();
        directory
    }

    /// Where it speaks plainly.
    pub fn port(&self) -> u16 {
        self.plain.number()
    }

    /// Where it speaks TLS.
    pub fn tls_port(&self) -> u16 {
        self.tls.number()
    }

    /// Ends the process; the ports answer nobody then.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().unwrap();
        }
    }

    /// Starts it again, with what it knew.
    ///
    /// # Panics
    /// When it does not start.
    pub fn resume(&mut self) {
        let urls = format!("ldap://127.0.0.1:{}/ ldaps://127.0.0.1:{}/", self.port(), self.tls_port());
        let child = Command::new(program("slapd"))
            .args(["-d", "0", "-h", &urls, "-f"])
            .arg(self.folder.path().join("slapd.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        let deadline = Instant::now() + PATIENCE;
        while [self.port(), self.tls_port()]
            .iter()
            .any(|port| TcpStream::connect(("127.0.0.1", *port)).is_err())
        {
            assert!(Instant::now() < deadline, "slapd does not listen");
            std::thread::yield_now();
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.stop();
    }
}

fn configuration(folder: &Path) -> String {
    let folder = folder.display();
    let schemas: String = ["core", "cosine", "inetorgperson"]
        .iter()
        .map(|name| format!("include /etc/ldap/schema/{name}.schema\n"))
        .collect();
    format!(
        "{schemas}modulepath /usr/lib/ldap\nmoduleload back_mdb\npidfile {folder}/slapd.pid\n\
         argsfile {folder}/slapd.args\nallow bind_anon_cred bind_anon_dn\n\
         TLSCACertificateFile {folder}/certificate.pem\nTLSCertificateFile {folder}/certificate.pem\n\
         TLSCertificateKeyFile {folder}/key.pem\n\
         access to attrs=userPassword by anonymous auth by * none\n\
         access to * by dn.exact=\"{BIND_DN}\" read by self read by anonymous auth by * none\n\
         database mdb\nsuffix \"{BASE_DN}\"\nrootdn \"cn=admin,{BASE_DN}\"\ndirectory {folder}/db\n\
         maxsize 10485760\n"
    )
}

/// A program of slapd, which Debian keeps off the path of everybody but root.
fn program(name: &str) -> PathBuf {
    let found = ["/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/local/libexec", "/usr/libexec"]
        .into_iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is missing: `cargo xtask test` installs it (Debian: slapd)"))
}
