//! What each package links.

use std::collections::BTreeSet;
use std::process::Command;

use crate::sources::{production, rust_files, workspace};

/// Content ciphers, password KDFs, key wraps: nothing that blind bytes need.
const SECRETS: [&str; 17] = [
    "aes-gcm",
    "aes-gcm-siv",
    "age",
    "argon2",
    "bcrypt",
    "chacha20poly1305",
    "client",
    "crypto_box",
    "crypto_secretbox",
    "hpke",
    "ml-kem",
    "pbkdf2",
    "rust-argon2",
    "scrypt",
    "sodiumoxide",
    "x-wing",
    "xsalsa20poly1305",
];

/// What `cargo tree` says a package links or builds with, by name; with features, lines like `tokio feature "rt"`.
fn tree(package: &str, edges: &str) -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let out = Command::new(cargo)
        .args(["tree", "--locked", "--all-features", "--prefix", "none", "--format", "{p}", "-p", package, "-e", edges])
        .current_dir(workspace())
        .output()
        .expect("cargo runs the tests, so it can be run");
    assert!(out.status.success(), "cargo tree -p {package}: {}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).expect("cargo writes text");
    text.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
}

fn linked(package: &str) -> BTreeSet<String> {
    tree(package, "normal,build").iter().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

fn found<'a>(linked: &BTreeSet<String>, banned: &[&'a str]) -> Vec<&'a str> {
    banned.iter().copied().filter(|name| linked.contains(*name)).collect()
}

#[test]
fn the_service_links_no_content_cipher_no_password_kdf_and_nothing_of_the_client() {
    let service = linked("service");
    assert!(["proto", "opaque-ke", "rusqlite", "aws-sdk-s3"].iter().all(|name| service.contains(*name)));
    assert_eq!(found(&service, &SECRETS), [""; 0]);
}

#[test]
fn the_protocol_links_no_cipher_no_kdf_no_store_and_no_side() {
    let proto = linked("proto");
    assert!(["blake3", "ed25519-dalek", "prost"].iter().all(|name| proto.contains(*name)));
    assert_eq!(found(&proto, &SECRETS), [""; 0]);
    assert_eq!(found(&proto, &["service", "opaque-ke", "rusqlite", "rand", "zstd"]), [""; 0]);
    let features = tree("proto", "normal,features");
    assert!(features.contains("tokio feature \"sync\""), "the listing names features");
    // tonic brings tokio's types; a runtime with threads of its own is the binaries' business.
    assert!(!features.contains("tokio feature \"rt-multi-thread\""));
}

/// The same search finds what it looks for where that is allowed.
#[test]
fn the_client_is_where_the_secrets_are() {
    let client = linked("client");
    let found = found(&client, &SECRETS);
    assert!(["argon2", "chacha20poly1305", "client", "hpke"].iter().all(|name| found.contains(name)), "{found:?}");
}

#[test]
fn the_protocols_public_bytes_hold_no_key_and_do_no_io() {
    const BANNED: [&str; 10] = [
        "SigningKey",
        "StaticSecret",
        "tokio",
        "tonic",
        "std::fs",
        "std::io",
        "std::net",
        "std::env",
        "std::time",
        "std::thread",
    ];
    let wire: Vec<_> = rust_files().into_iter().filter(|file| file.path.starts_with("proto/src/wire")).collect();
    assert!(wire.len() > 10);
    for file in wire {
        let code = production(&file.text);
        for name in BANNED {
            assert!(!code.contains(name), "{} names {name}", file.path);
        }
    }
}
