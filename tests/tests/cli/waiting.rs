//! A server that fails or is busy once work has begun: how long it is waited for, and what is shown meanwhile.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use proto::v1::PutPackRequest;
use proto::v1::vault_client::VaultClient;
use serde_json::Value;
use tests::cli::{Ended, Site};
use tokio_stream::StreamExt as _;
use tonic::Request;
use tonic::metadata::MetadataValue;
use tonic::transport::Endpoint;

use crate::interrupts::uploading_with;
use crate::terminal::play;

const PATIENCE: Duration = Duration::from_secs(60);

fn objects(folder: &Path) -> usize {
    let accounts = std::fs::read_dir(folder).into_iter().flatten().flatten();
    accounts.map(|account| std::fs::read_dir(account.path()).into_iter().flatten().count()).sum()
}

#[test]
fn work_goes_on_when_the_server_is_back_and_gives_up_after_the_longest_wait() {
    let mut site = Site::new();
    let (laptop, _) = site.registered("laptop");
    laptop.import(1, 0, 80, 400_000);
    let waited = |told: &Mutex<Vec<Value>>| {
        let told = told.lock().unwrap();
        told.iter().filter(|line| line["waiting"]["code"] == "E_UNREACHABLE").cloned().collect::<Vec<_>>()
    };
    // 0 is never: the failure is told as it comes.
    let (child, told) = uploading_with(&laptop, &["--max-wait", "0s"]);
    site.program.kill();
    let ended = Ended::of(child);
    assert_eq!((ended.exit, waited(&told)), (20, Vec::new()), "{ended:?}");
    site.restart();
    let (child, told) = uploading_with(&laptop, &["--max-wait", "100s"]);
    site.program.kill();
    let begun = Instant::now();
    while waited(&told).is_empty() {
        assert!(begun.elapsed() < PATIENCE, "it waits: {:?}", told.lock().unwrap());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(waited(&told)[0]["waiting"]["retry_in_s"].is_u64());
    site.restart();
    let ended = Ended::of(child);
    assert_eq!(ended.exit, 0, "what is back in time is waited for: {ended:?}");
    assert_eq!(laptop.json(&["status"])["attachments_waiting"], 0);
}

#[test]
fn a_terminal_shows_what_is_waited_for_and_how_long() {
    let mut site = Site::new();
    let (laptop, _) = site.registered("laptop");
    laptop.import(1, 0, 80, 400_000);
    let folder = site.dir.path().join("service/objects");
    let before = objects(&folder);
    let home = laptop.home.clone();
    let backup = std::thread::spawn(move || {
        play(&home, &["backup", "--limit-upload", "200KiB/s", "--max-wait", "6s"], &[], &[])
    });
    let begun = Instant::now();
    while objects(&folder) == before {
        assert!(begun.elapsed() < PATIENCE, "the upload begins");
        std::thread::sleep(Duration::from_millis(50));
    }
    site.program.kill();
    let (exit, told) = backup.join().unwrap();
    assert_eq!(exit, 20, "{told}");
    let shown = format!("backup: cannot reach {} (", site.program.address);
    assert!(told.contains(&shown) && told.contains("; next try in "), "{told}");
}

#[test]
fn a_server_that_sheds_load_is_told_apart_and_needs_no_new_sign_in() {
    let site = Site::with(&["limits.max_in_flight=1", "limits.queue=0", "limits.queue_timeout=1s"]);
    let (laptop, _) = site.registered("laptop");
    laptop.import(1, 0, 5, 0);
    // An upload that never ends takes the only place there is.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let token = runtime.block_on(laptop.opened().session.token()).unwrap();
    let address = format!("http://{}", site.program.address);
    let uploading = runtime.spawn(async move {
        let channel = Endpoint::from_shared(address).unwrap().connect().await.unwrap();
        let first = PutPackRequest { id: vec![7; 16].into(), class: 16, ..PutPackRequest::default() };
        let mut request = Request::new(tokio_stream::iter([first]).chain(tokio_stream::pending()));
        request.metadata_mut().insert_bin("chatkeep-token-bin", MetadataValue::from_bytes(&token.bytes));
        VaultClient::new(channel).put_pack(request).await
    });
    let begun = Instant::now();
    while !site.program.metrics().contains("chatkeepd_rpc_in_flight 1\n") {
        assert!(begun.elapsed() < PATIENCE && !uploading.is_finished(), "{}", site.program.metrics());
        std::thread::sleep(Duration::from_millis(50));
    }
    let told = laptop.run(&["backup", "--json"]).fails(21, "E_OVERLOADED").error();
    assert_eq!((&told["exit"], &told["retryable"]), (&21.into(), &true.into()), "{told}");
    assert!(told["retry_after_s"].as_u64().is_some_and(|s| s >= 1), "{told}");
    let words = laptop.run(&["sync"]).fails(21, "E_OVERLOADED").stderr;
    assert!(words.contains("is very busy and asked us to wait "), "{words}");
    uploading.abort();
    drop(runtime);
    let begun = Instant::now();
    while laptop.run(&["backup"]).exit != 0 {
        assert!(begun.elapsed() < PATIENCE, "the place is free again");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(laptop.json(&["status"])["unsaved_messages"], 0);
}
