//! The program itself: started, killed, stopped, administered, watched.

mod device;
mod running;

use bytes::Bytes;
use device::{random, reason};
use proto::v1;
use proto::v1::refusal::Reason;
use running::{Running, address_of, invite_of, ran, state};
use serde_json::Value;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill_and_a_stop() {
    let (_dir, data_dir) = state();
    let mut running = Running::start(&data_dir, &[]);
    let link = std::fs::read_to_string(data_dir.join("first-invite")).unwrap();
    let (token, invite) = invite_of(&link);
    let mut ana = running.device("ana").await;
    ana.register(&invite).await.unwrap();
    ana.sign_in().await.unwrap();
    let (pack, content) = (random(), Bytes::from(random::<65536>().to_vec()));
    ana.put_pack(pack, 16, vec![content.clone()]).await.unwrap();
    let record = ana.events(&[pack], 5000);
    let placed = ana.append(vec![record.clone()]).await.unwrap();
    running.event("rpc");
    running.kill();

    let running = Running::start(&data_dir, &[]);
    running.reconnect(&mut ana).await;
    assert_eq!(ana.append(vec![record]).await.unwrap(), placed, "the token outlives the process, the append is known");
    assert_eq!(ana.get_pack(pack, 0, 0).await.unwrap(), content);
    let (_, answer) = ana.login("ana", "lantern quiet copper ribbon").await.unwrap();
    assert_eq!(answer.unwrap().slot, ana.slots[0].2);
    let mut hints = ana.vault.watch(ana.with(v1::WatchRequest::default())).await.unwrap().into_inner();
    assert_eq!(hints.message().await.unwrap().unwrap().size, 2);
    let stopping = std::thread::spawn(move || running.stop());
    assert!(hints.message().await.is_err(), "a stream is ended, not cut");
    let log = stopping.join().unwrap().join("\n");
    // The graceful stop has drained the mirror: all the bucket needs is there.
    let address = address_of(&ana);
    let folder = data_dir.join("objects").join(&address);
    for name in ["roster", "slot-1", "opaque"] {
        assert!(folder.join(name).exists(), "{name}");
    }
    for secret in ["ana", "state-secrets", token, &address] {
        assert!(!log.contains(&format!("\"{secret}")) && !log.contains(&format!("{secret}\"")), "{secret} in {log}");
    }
    let log: Vec<Value> = log.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let call = log.iter().find(|l| l["rpc"] == "Vault/GetPack").unwrap();
    assert_eq!((&call["peer"], &call["code"]), (&"127.0.0.0/24".into(), &"Ok".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_invite_suspend_measure_and_check() {
    let (_dir, data_dir) = state();
    let (code, _, stderr) = ran(&data_dir, &["user", "list", "--json"]);
    assert_eq!(code, 20, "nothing runs yet");
    assert_eq!(serde_json::from_str::<Value>(&stderr).unwrap()["code"], "E_UNREACHABLE");
    assert_eq!(ran(&data_dir, &["health"]).0, 1);

    let running = Running::start(&data_dir, &[]);
    assert_eq!(ran(&data_dir, &["health", "--json"]).0, 0);
    let (code, made, _) = ran(&data_dir, &["invite", "create", "--uses", "2", "--quota", "1MiB", "--json"]);
    assert_eq!((code, &made["schema"]), (0, &"chatkeep.invite-create/1".into()));
    let (_, invite) = invite_of(made["link"].as_str().unwrap());
    let mut ana = running.device("ana").await;
    ana.register(&invite).await.unwrap();
    ana.sign_in().await.unwrap();
    let pack = random();
    ana.put_pack(pack, 16, vec![Bytes::from(vec![1; 1 << 16])]).await.unwrap();

    let (_, users, _) = ran(&data_dir, &["user", "list", "--json"]);
    assert_eq!(users["users"][0]["name"], "ana");
    assert_eq!(
        (&users["users"][0]["stored_bytes"], &users["users"][0]["quota_bytes"]),
        (&65536.into(), &(1 << 20).into())
    );
    let (_, shown, _) = ran(&data_dir, &["user", "show", "ana", "--json"]);
    assert_eq!(shown["devices"].as_array().unwrap().len(), 1);
    assert_eq!(ran(&data_dir, &["user", "show", "bob"]).0, 14);
    let (_, quota, _) = ran(&data_dir, &["user", "set-quota", "ana", "3GiB", "--json"]);
    assert_eq!((&quota["changed"], &quota["user"]["quota_bytes"]), (&true.into(), &(3u64 << 30).into()));

    let mut hints = ana.vault.watch(ana.with(v1::WatchRequest::default())).await.unwrap().into_inner();
    hints.message().await.unwrap();
    assert!(running.get("/metrics").1.contains("\nchatkeepd_sync_streams 1\n"));
    let (_, suspended, _) = ran(&data_dir, &["user", "suspend", "ana", "--json"]);
    assert_eq!(suspended["user"]["state"], "suspended");
    assert_eq!(reason(&hints.message().await.unwrap_err()), Reason::Suspended, "streams end at once");
    let ended = || running.get("/metrics").1.contains("\nchatkeepd_sync_streams 0\n");
    let waited = (0..100).any(|_| ended() || std::thread::sleep(std::time::Duration::from_millis(20)) != ());
    assert!(waited, "a stream that has ended is counted no more");
    let pull = v1::PullRequest::default();
    let refused = ana.vault.pull(ana.with(pull)).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::Suspended);
    assert_eq!(ran(&data_dir, &["user", "resume", "ana"]).0, 0);
    assert!(ana.vault.pull(ana.with(pull)).await.is_ok());

    let (code, checked, _) = ran(&data_dir, &["check", "--sample", "100%", "--json"]);
    assert_eq!((code, &checked["ok"], &checked["objects"]), (0, &true.into(), &1.into()));
    assert_eq!((&checked["read_bytes"], &checked["unknown_objects"]), (&65536.into(), &0.into()));
    let address = address_of(&ana);
    let name: String = pack.iter().map(|b| format!("{b:02x}")).collect();
    let object = data_dir.join("objects").join(address).join(name);
    std::fs::rename(&object, object.with_file_name("00".repeat(16))).unwrap();
    let (code, checked, _) = ran(&data_dir, &["check", "--json"]);
    assert_eq!((code, &checked["ok"], &checked["unknown_objects"]), (4, &false.into(), &1.into()));
    assert_eq!(checked["problems"][0]["kind"], "missing");

    let (_, invites, _) = ran(&data_dir, &["invite", "list", "--json"]);
    let ours =
        invites["invites"].as_array().unwrap().iter().find(|i| i["uses_left"] == 1 && i["quota_bytes"] == 1 << 20);
    let id = &ours.unwrap()["id"].as_str().unwrap()[..8];
    assert_eq!(ran(&data_dir, &["invite", "revoke", id]).0, 0);
    let refused = running.device("bob").await.register(&invite).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::InviteInvalid);

    let (code, _, stderr) = ran(&data_dir, &["user", "delete", "ana", "--yes"]);
    assert_eq!(code, 17, "{stderr}");
    let (code, _, stderr) = ran(&data_dir, &["user", "delete", "ana", "--really", "ana"]);
    assert_eq!(code, 2, "{stderr}");
    assert_eq!(ran(&data_dir, &["user", "delete", "ana", "--dry-run"]).0, 0);
    assert!(ana.vault.pull(ana.with(pull)).await.is_ok());
    assert_eq!(ran(&data_dir, &["user", "delete", "ana", "--yes", "--really", "ana"]).0, 0);
    assert!(ana.vault.pull(ana.with(pull)).await.is_err());

    assert_eq!(running.get("/livez"), (200, "ok\n".to_owned()));
    let (code, ready) = running.get("/readyz?verbose");
    let ready: Value = serde_json::from_str(&ready).unwrap();
    assert_eq!((code, &ready["ready"], &ready["checks"]["database"]), (200, &true.into(), &true.into()));
    assert_eq!(running.get("/version").0, 200);
    assert_eq!(running.get("/nothing").0, 404);
    let (_, metrics) = running.get("/metrics");
    for name in [
        "chatkeepd_build_info{version=\"0.1.0\"} 1",
        "chatkeepd_rpc_requests_total{rpc=\"Accounts/RegisterFinish\",code=\"Ok\"} 2",
        "chatkeepd_rpc_duration_seconds_bucket{rpc=\"Vault/PutPack\"",
        "chatkeepd_packs_stored_total 1",
        "chatkeepd_auth_attempts_total{kind=\"device\",outcome=\"proved\"} 1",
        "process_resident_memory_bytes",
    ] {
        assert!(metrics.contains(name), "{name} not in {metrics}");
    }
    assert!(!metrics.contains("ana"));
    running.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_follows_its_files() {
    let (dir, data_dir) = state();
    let made = |names: &str| {
        let pair = rcgen::generate_simple_self_signed(vec![names.to_owned()]).unwrap();
        (pair.cert.pem(), pair.signing_key.serialize_pem())
    };
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let (first, secret) = made("localhost");
    std::fs::write(&cert, &first).unwrap();
    std::fs::write(&key, secret).unwrap();
    let set = [format!("tls.cert={}", cert.display()), format!("tls.key={}", key.display())];
    let mut running = Running::start(&data_dir, &["--set", &set[0], "--set", &set[1]]);
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let address = running.address;
    let connect = async |pem: &str| -> Result<Channel, tonic::transport::Error> {
        let trusted = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)).domain_name("localhost");
        let endpoint = Endpoint::from_shared(format!("https://{address}")).unwrap();
        endpoint.tls_config(trusted).unwrap().connect().await
    };
    let channel = connect(&first).await.unwrap();
    let mut accounts = v1::accounts_client::AccountsClient::new(channel);
    let server = accounts.server(v1::ServerRequest {}).await.unwrap().into_inner();
    assert_eq!((server.server_name.as_str(), server.registration.as_str()), ("localhost", "invite"));
    let plain = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await;
    let plain = match plain {
        Ok(channel) => v1::accounts_client::AccountsClient::new(channel).server(v1::ServerRequest {}).await.is_ok(),
        Err(_) => false,
    };
    assert!(!plain, "nothing is said without TLS");
    let (second, secret) = made("localhost");
    std::fs::write(&key, secret).unwrap();
    std::fs::write(&cert, &second).unwrap();
    assert!(connect(&second).await.is_err(), "not yet");
    running.event("certificate_reloaded");
    assert!(connect(&second).await.is_ok());
    assert!(connect(&first).await.is_err());
    accounts.server(v1::ServerRequest {}).await.expect("connections that were open stay");
}

#[test]
fn what_is_wrong_is_said_before_anything_starts() {
    let (_dir, data_dir) = state();
    let code_of = |arguments: &[&str]| {
        let (code, _, stderr) = ran(&data_dir, &[arguments, &["--json"]].concat());
        let last: Value = serde_json::from_str(stderr.lines().last().unwrap()).unwrap();
        assert_eq!(last["schema"], "chatkeep.error/1");
        assert_eq!(last["exit"], code);
        (code, last["code"].as_str().unwrap().to_owned())
    };
    assert_eq!(code_of(&["serve", "--listen", "0.0.0.0:0"]), (2, "E_CONFIG".into()));
    assert_eq!(code_of(&["--set", "quota.devcies=3", "config", "check"]), (2, "E_CONFIG".into()));
    assert_eq!(code_of(&["servve"]), (2, "E_USAGE".into()));
    assert!(!data_dir.exists());
    let (code, printed, _) = ran(&data_dir, &["config", "print", "--json"]);
    assert_eq!((code, &printed["config"]["quota"]["account_bytes"]), (0, &"20GiB".into()));
    assert_eq!(ran(&data_dir, &["config", "check"]).0, 0);
    let inside = format!("auth.opaque_seed_file={}/seed", data_dir.display());
    let (code, _, warned) = ran(&data_dir, &["--set", &inside, "config", "check"]);
    assert_eq!(code, 3, "secrets beside the state are warned of");
    assert!(warned.contains("warning"), "{warned}");
}

#[test]
fn secrets_stay_apart_private_and_the_same() {
    let (dir, data_dir) = state();
    Running::start(&data_dir, &[]).kill();
    let seed = dir.path().join("state-secrets/opaque.seed");
    let before = std::fs::read(&seed).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    for path in [&seed, &dir.path().join("state-secrets/token.keys"), &data_dir.join("first-invite")] {
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
    assert_eq!(std::fs::metadata(&data_dir).unwrap().permissions().mode() & 0o777, 0o700);
    let invite = std::fs::read(data_dir.join("first-invite")).unwrap();
    Running::start(&data_dir, &[]).stop();
    assert_eq!(std::fs::read(&seed).unwrap(), before);
    assert_eq!(std::fs::read(data_dir.join("first-invite")).unwrap(), invite, "one first invite, not one per start");
}
