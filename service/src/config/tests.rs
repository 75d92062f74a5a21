use super::*;
use std::collections::BTreeMap;

fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

fn loaded(text: &str, variables: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let (_dir, path) = written(text);
    let flags: Vec<_> = flags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    load(Some(&path), &env(variables), &flags, false)
}

fn refused(text: &str, variables: &[(&str, &str)], flags: &[(&str, &str)]) -> String {
    loaded(text, variables, flags).unwrap_err().to_string()
}

/// SURFACE §8's example, word for word but for the bucket, which needs the s3 build only to be opened.
const EXAMPLE: &str = r#"
listen = "127.0.0.1:8443"            # gRPC over TLS
public_url = "https://vault.example.org"
data_dir = "/var/lib/chatkeepd"
[tls]
mode = "files"                       # files (reloaded on change) | proxy (h2c from trusted addresses) | off (loopback only)
cert = "/etc/chatkeepd/cert.pem"
key = "/etc/chatkeepd/key.pem"
[database]
url = "sqlite:///var/lib/chatkeepd/chatkeepd.db"
[storage]
kind = "s3"                          # fs | s3
endpoint = "https://s3.example.org"
region = "eu-1"
bucket = "chatkeep"
path_style = true
access_key_file = "/run/secrets/s3-id"
secret_key_file = "/run/secrets/s3-key"
[auth]
opaque_seed_file = "/var/lib/chatkeepd-secrets/opaque.seed"
token_key_file = "/var/lib/chatkeepd-secrets/token.keys"
[registration]
mode = "invite"                      # closed | invite | open
[quota]
account_bytes = "20GiB"
devices = 10
[limits]
max_in_flight = 2000
queue = 500
queue_timeout = "3s"
auth_per_minute = 10
[ops]
listen = "127.0.0.1:9464"
admin_socket = "/run/chatkeepd/admin.sock"
shutdown_grace = "30s"
[log]
format = "json"
level = "info"
"#;

#[test]
fn the_documented_example_is_read_and_holds_only_known_keys() {
    let config = loaded(EXAMPLE, &[], &[]).unwrap();
    assert_eq!(config.server_name(), "vault.example.org");
    assert_eq!(config.quota.account_bytes.0, 20 << 30);
    assert_eq!(config.sqlite_path().unwrap(), Path::new("/var/lib/chatkeepd/chatkeepd.db"));
    assert_eq!(config.tls_mode(), TlsMode::Files);
    // What is printed can be read again.
    let printed = toml::to_string(&config).unwrap();
    let again = loaded(&printed, &[], &[]).unwrap();
    assert_eq!(toml::to_string(&again).unwrap(), printed);
}

#[test]
fn nothing_configured_works_for_everybody() {
    let nothing = tempfile::tempdir().unwrap();
    let file = nothing.path().join("none.toml");
    std::fs::write(&file, "").unwrap();
    let user = load(Some(&file), &env(&[("HOME", "/srv/chat/ana")]), &[], false).unwrap();
    assert_eq!(user.data_dir, Path::new("/srv/chat/ana/.local/state/chatkeepd"));
    assert_eq!(user.admin_socket(), Path::new("/srv/chat/ana/.local/state/chatkeepd/admin.sock"));
    assert_eq!(user.opaque_seed_file(), Path::new("/srv/chat/ana/.local/state/chatkeepd-secrets/opaque.seed"));
    assert_eq!(user.listen.to_string(), "127.0.0.1:8443");
    assert_eq!(user.registration.mode, Registration::Invite);
    let xdg = load(Some(&file), &env(&[("HOME", "/srv/chat/ana"), ("XDG_STATE_HOME", "/s")]), &[], false).unwrap();
    assert_eq!(xdg.data_dir, Path::new("/s/chatkeepd"));
    let root = load(Some(&file), &env(&[]), &[], true).unwrap();
    assert_eq!(root.data_dir, Path::new(SYSTEM_DATA_DIR));
    assert_eq!(root.admin_socket(), Path::new(SYSTEM_ADMIN_SOCKET));
}

#[test]
fn a_flag_beats_the_environment_beats_the_file() {
    let file = "[quota]\ndevices = 3\naccount_bytes = 1024\n[log]\nlevel = \"warn\"";
    let variables = [("CHATKEEPD_QUOTA__DEVICES", "4"), ("CHATKEEPD_LISTEN", "127.0.0.1:1"), ("OTHER", "x")];
    let config =
        loaded(file, &variables, &[("listen", "127.0.0.1:2"), ("tls.trusted_proxies", "::1, 127.0.0.1")]).unwrap();
    assert_eq!(config.quota.devices, 4);
    assert_eq!(config.quota.account_bytes.0, 1024);
    assert_eq!(config.listen.port(), 2);
    assert_eq!(config.log.level, "warn");
    assert_eq!(config.tls.trusted_proxies.len(), 2);
}

#[test]
fn mistakes_are_told_with_their_place() {
    let unknown = refused("listen = \"127.0.0.1:1\"\n[quota]\ndevcies = 3\n", &[], &[]);
    assert!(unknown.contains("config.toml:3") && unknown.contains("did you mean \"quota.devices\"?"), "{unknown}");
    assert!(refused("[qouta]\ndevices = 3", &[], &[]).contains("qouta.devices"));
    assert!(refused("listen = ", &[], &[]).contains("config.toml:1"));
    let variable = refused("", &[("CHATKEEPD_LIMITS__QUEU", "4")], &[]);
    assert!(variable.contains("CHATKEEPD_LIMITS__QUEU") && variable.contains("limits.queue"), "{variable}");
    assert!(refused("", &[("CHATKEEPD_QUOTA__DEVICES", "many")], &[]).contains("quota.devices: expected a number"));
    assert!(refused("[quota]\naccount_bytes = \"lots\"", &[], &[]).contains("expected a size such as 20GiB"));
    assert!(refused("[registration]\nmode = \"maybe\"", &[], &[]).contains("maybe"));
}

#[test]
fn what_would_be_unsafe_does_not_start() {
    for address in ["0.0.0.0:8443", "192.0.2.1:8443", "[::]:8443"] {
        assert!(refused("", &[], &[("listen", address)]).contains("tls"), "{address}");
        assert!(loaded("[tls]\nmode = \"proxy\"", &[], &[("listen", address)]).is_ok());
        assert!(loaded("[tls]\ncert = \"c\"\nkey = \"k\"", &[], &[("listen", address)]).is_ok());
    }
    assert!(loaded("", &[], &[("listen", "[::1]:8443")]).is_ok());
    assert!(refused("[tls]\nmode = \"files\"", &[], &[]).contains("cert and key"));
    assert!(refused("", &[], &[("database.url", "postgres://db/x")]).contains("sqlite:///PATH"));
    assert!(refused("", &[], &[("limits.max_in_flight", "0")]).contains("nobody"));
    assert!(refused("", &[], &[("quota.devices", "21")]).contains("1 to 20"));
    assert!(refused("", &[], &[("ops.listen", "everywhere")]).contains("off"));
    assert!(loaded("", &[], &[("ops.listen", "off")]).unwrap().ops_address().is_none());
}

#[test]
fn every_key_can_be_set_from_outside() {
    for (key, kind) in KEYS {
        let value = match (*key, kind) {
            ("listen" | "ops.listen", _) => "127.0.0.1:1",
            ("tls.mode", _) => "off",
            ("storage.kind", _) => "fs",
            ("registration.mode", _) => "open",
            ("quota.account_bytes", _) => "1GiB",
            ("limits.queue_timeout" | "ops.shutdown_grace", _) => "1s",
            ("log.format", _) => "text",
            ("database.url", _) => "sqlite:///x",
            ("public_url", _) => "https://x",
            ("tls.cert", _) => continue,
            (_, layers::Kind::Number) => "5",
            (_, layers::Kind::Switch) => "true",
            (_, layers::Kind::List) => "127.0.0.1",
            (_, layers::Kind::Text) => "x",
        };
        let variable = format!("CHATKEEPD_{}", key.to_ascii_uppercase().replace('.', "__"));
        let config = loaded("", &[(&variable, value)], &[]);
        assert!(config.is_ok(), "{key}: {:?}", config.err());
    }
}
