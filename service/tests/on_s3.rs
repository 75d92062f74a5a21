//! The program on an S3 store by configuration alone; the bucket is read from outside, by the store's own client.
//!
//! `CHATKEEP_TEST_S3` names the store, as `tests/servers/seaweedfs.sh` prints it; without it these tests fail.

mod device;
mod running;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use bytes::Bytes;
use device::random;
use running::{Running, address_of, invite_of, ran, state};

/// The store, and how it is reached.
struct Store {
    endpoint: String,
    access: String,
    secret: String,
    client: Client,
}

impl Store {
    fn named() -> Self {
        let url = std::env::var("CHATKEEP_TEST_S3").expect("CHATKEEP_TEST_S3 names the store these tests run against");
        let rest = url.strip_prefix("http://").expect("an http URL");
        let (keys, host) = rest.split_once('@').expect("keys before the host");
        let (access, secret) = keys.split_once(':').expect("access key and secret key");
        let endpoint = format!("http://{host}");
        let config = Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-1"))
            .credentials_provider(Credentials::new(access, secret, None, None, "tests"))
            .endpoint_url(&endpoint)
            .force_path_style(true);
        let client = Client::from_conf(config.build());
        Self { endpoint, access: access.to_owned(), secret: secret.to_owned(), client }
    }

    async fn bucket(&self) -> String {
        let name: String = random::<6>().iter().map(|b| format!("{b:02x}")).collect();
        let name = format!("program-{name}");
        self.client.create_bucket().bucket(&name).send().await.unwrap();
        name
    }

    /// Writes the configuration beside a state folder, and the key files it names.
    fn configure(&self, data_dir: &Path, bucket: &str) {
        let file = |name: &str, content: &str| {
            let path = data_dir.with_file_name(name);
            std::fs::write(&path, content).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            path.display().to_string()
        };
        let (access, secret) = (file("s3-id", &format!("{}\n", self.access)), file("s3-key", &self.secret));
        let config = format!(
            "[storage]\nkind = \"s3\"\nendpoint = \"{}\"\nregion = \"eu-1\"\nbucket = \"{bucket}\"\npath_style = true\n\
             access_key_file = \"{access}\"\nsecret_key_file = \"{secret}\"\n",
            self.endpoint
        );
        file("config.toml", &config);
    }

    async fn objects(&self, bucket: &str) -> BTreeMap<String, u64> {
        let listed = self.client.list_objects_v2().bucket(bucket).send().await.unwrap();
        assert_ne!(listed.is_truncated(), Some(true));
        let sized = |o: &aws_sdk_s3::types::Object| (o.key().unwrap().to_owned(), o.size().unwrap() as u64);
        listed.contents().iter().map(sized).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_serves_by_configuration_alone() {
    let (store, (_dir, data_dir)) = (Store::named(), state());
    let bucket = store.bucket().await;
    store.configure(&data_dir, &bucket);
    let running = Running::start(&data_dir, &[]);
    assert_eq!(ran(&data_dir, &["health"]).0, 0);
    let link = std::fs::read_to_string(data_dir.join("first-invite")).unwrap();
    let mut ana = running.device("ana").await;
    ana.register(&invite_of(&link).1).await.unwrap();
    ana.sign_in().await.unwrap();
    let mut packs = BTreeMap::new();
    for class in [14, 16, 20, 23] {
        let content: Vec<u8> = (0..1usize << class).map(|i| (i * 31 / 7 + class) as u8).collect();
        let id: [u8; 16] = random();
        let frames = content.chunks(300_000).map(Bytes::copy_from_slice).collect();
        assert!(!ana.put_pack(id, class as u32, frames).await.unwrap());
        packs.insert(id, content);
    }
    let ids: Vec<_> = packs.keys().copied().collect();
    let record = ana.events(&ids, 5000);
    ana.append(vec![record]).await.unwrap();
    running.kill();

    let running = Running::start(&data_dir, &[]);
    running.reconnect(&mut ana).await;
    for (id, content) in &packs {
        assert_eq!(&ana.get_pack(*id, 0, 0).await.unwrap(), content, "{} bytes", content.len());
    }
    let (id, large) = packs.iter().max_by_key(|(_, content)| content.len()).unwrap();
    assert_eq!(ana.get_pack(*id, 3 << 16, 2 << 16).await.unwrap(), large[3 << 16..5 << 16]);
    let (code, checked, _) = ran(&data_dir, &["check", "--sample", "100%", "--json"]);
    assert_eq!((code, &checked["ok"], &checked["objects"]), (0, &true.into(), &packs.len().into()));
    running.stop();

    assert!(!data_dir.join("objects").exists(), "nothing lies in a folder");
    let address = address_of(&ana);
    let mut objects = store.objects(&bucket).await;
    for (id, content) in &packs {
        let name: String = id.iter().map(|b| format!("{b:02x}")).collect();
        let bytes = objects.remove(&format!("{address}/{name}")).unwrap();
        assert_eq!(bytes, content.len() as u64);
        assert!(bytes.is_power_of_two() && (1 << 14..=1 << 23).contains(&bytes), "{bytes}");
    }
    // What is left is the mirror, whole when the service has stopped; no head has been written here.
    assert_eq!(objects.get(&format!("{address}/slot-1")), Some(&512));
    let slots = objects.iter().filter(|(name, _)| name.starts_with("slots/")).map(|(_, bytes)| *bytes);
    assert_eq!(slots.collect::<Vec<_>>(), [512]);
    let names: Vec<_> = objects.keys().filter_map(|name| name.strip_prefix(&format!("{address}/"))).collect();
    assert_eq!(names, ["opaque", "roster", "slot-1"]);
    assert_eq!(objects.len(), 4, "{objects:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_bucket_is_said_at_the_start() {
    let (store, (_dir, data_dir)) = (Store::named(), state());
    let started = |more: &[&str]| {
        ran(&data_dir, &[&["--set", "ops.listen=off", "serve", "--listen", "127.0.0.1:0"], more].concat())
    };
    let bucket = store.bucket().await;
    store.configure(&data_dir, &bucket);
    let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let put = store.client.put_bucket_versioning().bucket(&bucket).versioning_configuration(enabled);
    put.send().await.unwrap();
    let (code, _, stderr) = started(&[]);
    assert!(code == 22 && stderr.contains("keeps deleted objects"), "{code} {stderr}");
    Running::start(&data_dir, &["--set", "storage.accept_undeletable=true"]).stop();

    store.configure(&data_dir, "there-is-no-such-bucket");
    assert_eq!(started(&[]).0, 22);
    store.configure(&data_dir, &store.bucket().await);
    std::fs::write(data_dir.with_file_name("s3-key"), "not the secret").unwrap();
    let (code, _, stderr) = started(&[]);
    assert_eq!(code, 22, "{stderr}");
    assert!(!stderr.contains("not the secret"));
    std::fs::set_permissions(data_dir.with_file_name("s3-key"), std::fs::Permissions::from_mode(0o640)).unwrap();
    let (code, _, stderr) = started(&[]);
    assert!(code == 32 && stderr.contains("0600"), "{code} {stderr}");
}
