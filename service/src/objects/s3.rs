//! Objects in an S3 bucket.
//!
//! An object is at most one pack of the top class, so it travels in one request: nothing half is ever there, and a retry
//! sends the same bytes. The client's default checksums stay on, path style is for stores of one's own.

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ObjectLockEnabled;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use zeroize::Zeroizing;

use super::memory::checked;
use super::{Content, Found, ObjectError, ObjectName, Objects, Result, collect};

/// A call ends by then, its retries included.
const DEADLINE: Duration = Duration::from_secs(45);
const ATTEMPT: Duration = Duration::from_secs(20);
const CONNECT: Duration = Duration::from_secs(5);
const ATTEMPTS: u32 = 3;
/// Names in one answer of a listing, as S3 limits it.
const LIST: usize = 1000;
/// Pieces between the store and a reader.
const PIECES_WAITING: usize = 2;

/// Where the bucket is and how it is reached.
pub struct S3Config {
    /// Absent: the provider's own.
    pub endpoint: Option<String>,
    pub region: String,
    pub bucket: String,
    pub path_style: bool,
    /// Absent: what the environment provides.
    pub keys: Option<S3Keys>,
    /// Accepts a bucket that keeps what is deleted.
    pub accept_undeletable: bool,
}

/// An access key. Neither printed nor copied.
pub struct S3Keys {
    pub access: Zeroizing<String>,
    pub secret: Zeroizing<String>,
}

/// A store in a bucket.
pub struct S3 {
    client: Client,
    bucket: String,
}

impl S3 {
    /// Reaches the bucket and refuses one that keeps what is deleted, unless that is accepted.
    pub async fn open(config: S3Config) -> Result<Self> {
        let accept_undeletable = config.accept_undeletable;
        let bucket = config.bucket.clone();
        let store = Self { client: client(config).await, bucket };
        store.ready().await?;
        if !accept_undeletable {
            store.check_deletable().await?;
        }
        Ok(store)
    }

    async fn check_deletable(&self) -> Result<()> {
        let versioning = self.client.get_bucket_versioning().bucket(&self.bucket).send().await;
        // "Suspended" keeps every version made before.
        if absent_is_none(versioning)?.is_some_and(|v| v.status().is_some()) {
            return Err(ObjectError::Undeletable("versioning"));
        }
        let lock = absent_is_none(self.client.get_object_lock_configuration().bucket(&self.bucket).send().await)?;
        let enabled = |l: &aws_sdk_s3::types::ObjectLockConfiguration| {
            l.object_lock_enabled() == Some(&ObjectLockEnabled::Enabled)
        };
        if lock.is_some_and(|l| l.object_lock_configuration().is_some_and(enabled)) {
            return Err(ObjectError::Undeletable("object lock"));
        }
        let replication = self.client.get_bucket_replication().bucket(&self.bucket).send().await;
        if absent_is_none(replication)?.is_some_and(|r| r.replication_configuration().is_some()) {
            return Err(ObjectError::Undeletable("replication"));
        }
        Ok(())
    }

    async fn send(&self, name: &ObjectName, content: Bytes) -> Result<()> {
        let length = i64::try_from(content.len()).map_err(|_| ObjectError::WrongLength)?;
        let put = self.client.put_object().bucket(&self.bucket).key(name.key()).content_length(length);
        put.body(ByteStream::from(content)).send().await.map(drop).map_err(failed)
    }
}

async fn client(config: S3Config) -> Client {
    let timeouts = TimeoutConfig::builder()
        .operation_timeout(DEADLINE)
        .operation_attempt_timeout(ATTEMPT)
        .connect_timeout(CONNECT)
        .build();
    let mut shared = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(config.region))
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
    if let Some(keys) = config.keys {
        // The client keeps the secret for its signatures; it wipes it itself.
        let credentials = Credentials::new(keys.access.as_str(), keys.secret.as_str(), None, None, "chatkeepd");
        shared = shared.credentials_provider(credentials);
    }
    if let Some(endpoint) = config.endpoint {
        shared = shared.endpoint_url(endpoint);
    }
    let shared = shared.load().await;
    Client::from_conf(aws_sdk_s3::config::Builder::from(&shared).force_path_style(config.path_style).build())
}

fn failed<E>(e: SdkError<E, HttpResponse>) -> ObjectError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    if matches!(e, SdkError::TimeoutError(_)) {
        return ObjectError::Deadline;
    }
    let no_bucket = e.as_service_error().and_then(ProvideErrorMetadata::code) == Some("NoSuchBucket");
    match e.raw_response().map(|r| r.status().as_u16()) {
        Some(404) if !no_bucket => ObjectError::NotFound,
        Some(416) => ObjectError::OutOfRange,
        Some(507) => ObjectError::Full,
        _ => ObjectError::Storage(Box::new(e)),
    }
}

/// A setting that a store does not have or does not know is not set.
fn absent_is_none<T, E>(answer: std::result::Result<T, SdkError<E, HttpResponse>>) -> Result<Option<T>>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(e) if matches!(e.raw_response().map(|r| r.status().as_u16()), Some(404 | 405 | 501)) => Ok(None),
        Err(e) => Err(failed(e)),
    }
}

/// The range an answer says it holds, as the header writes it: `bytes first-last/whole`.
fn answered(content_range: Option<&str>) -> Option<Range<u64>> {
    let (range, _) = content_range?.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some(first.parse().ok()?..last.parse::<u64>().ok()?.checked_add(1)?)
}

/// Passes the store's pieces on; a reader that goes away ends the download.
fn pieces(mut body: ByteStream) -> Content {
    let (sender, receiver) = mpsc::channel(PIECES_WAITING);
    tokio::spawn(async move {
        while let Some(piece) = body.next().await {
            if sender.send(piece.map_err(std::io::Error::other)).await.is_err() {
                return;
            }
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}

#[async_trait]
impl Objects for S3 {
    async fn put(&self, name: &ObjectName, content: Bytes) -> Result<()> {
        self.send(name, content).await
    }

    async fn put_stream(&self, name: &ObjectName, length: u64, content: Content) -> Result<()> {
        let content = collect(content, length).await?;
        if content.len() as u64 != length {
            return Err(ObjectError::WrongLength);
        }
        self.send(name, content).await
    }

    async fn get(&self, name: &ObjectName, range: Option<Range<u64>>) -> Result<Content> {
        let mut get = self.client.get_object().bucket(&self.bucket).key(name.key());
        if let Some(range) = &range {
            if range.is_empty() {
                checked(Some(range.clone()), self.length(name).await?)?;
                return Ok(Box::pin(tokio_stream::empty()));
            }
            get = get.range(format!("bytes={}-{}", range.start, range.end - 1));
        }
        let answer = get.send().await.map_err(failed)?;
        // A range that reaches beyond the end is cut by the store, silently.
        if range.is_some() && answered(answer.content_range()) != range {
            return Err(ObjectError::OutOfRange);
        }
        Ok(pieces(answer.body))
    }

    async fn length(&self, name: &ObjectName) -> Result<u64> {
        let answer = self.client.head_object().bucket(&self.bucket).key(name.key()).send().await.map_err(failed)?;
        u64::try_from(answer.content_length().unwrap_or_default()).map_err(|_| ObjectError::WrongLength)
    }

    async fn delete(&self, name: &ObjectName) -> Result<()> {
        match self.client.delete_object().bucket(&self.bucket).key(name.key()).send().await.map_err(failed) {
            Ok(_) | Err(ObjectError::NotFound) => Ok(()),
            Err(e) => Err(e),
        }
    }

    async fn list(&self, folder: &str, after: Option<&ObjectName>, limit: usize) -> Result<Vec<Found>> {
        let mut found: Vec<Found> = Vec::new();
        let mut last = after.map(ObjectName::key);
        loop {
            let wanted = (limit - found.len()).min(LIST);
            let list = self.client.list_objects_v2().bucket(&self.bucket).prefix(format!("{folder}/"));
            let list = list.set_start_after(last).max_keys(wanted as i32);
            let answer = list.send().await.map_err(failed)?;
            for object in answer.contents() {
                let bytes = u64::try_from(object.size().unwrap_or_default()).unwrap_or_default();
                found.extend(object.key().and_then(ObjectName::parse).map(|name| Found { name, bytes }));
            }
            last = answer.contents().last().and_then(|o| o.key()).map(str::to_owned);
            if found.len() >= limit || last.is_none() || answer.is_truncated() != Some(true) {
                return Ok(found);
            }
        }
    }

    async fn free_bytes(&self) -> Result<Option<u64>> {
        Ok(None)
    }

    async fn ready(&self) -> Result<()> {
        let answer = self.client.head_bucket().bucket(&self.bucket).send().await.map_err(failed);
        answer.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::suite;
    use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
    use proto::wire::ids::{AccountId, PackId};

    #[test]
    fn answered_ranges_are_read_exactly() {
        assert_eq!(answered(Some("bytes 0-65535/1048576")), Some(0..65536));
        for bad in ["bytes */10", "bytes 0-/10", "0-1/10", "bytes 0-18446744073709551615/1", ""] {
            assert_eq!(answered(Some(bad)), None, "{bad}");
        }
    }

    /// `http://ACCESS:SECRET@HOST:PORT`, as the script that starts the store prints it.
    fn config(bucket: &str) -> S3Config {
        let url = std::env::var("CHATKEEP_TEST_S3").expect("CHATKEEP_TEST_S3 names the store these tests run against");
        let rest = url.strip_prefix("http://").expect("an http URL");
        let (keys, host) = rest.split_once('@').expect("keys before the host");
        let (access, secret) = keys.split_once(':').expect("access key and secret key");
        let keys = S3Keys { access: access.to_owned().into(), secret: secret.to_owned().into() };
        S3Config {
            endpoint: Some(format!("http://{host}")),
            region: "eu-1".to_owned(),
            bucket: bucket.to_owned(),
            path_style: true,
            keys: Some(keys),
            accept_undeletable: false,
        }
    }

    async fn with_bucket(bucket: &str) -> Client {
        let client = client(config(bucket)).await;
        match client.create_bucket().bucket(bucket).send().await {
            Ok(_) => {}
            Err(e) => assert!(e.raw_response().is_some_and(|r| r.status().as_u16() == 409), "{e:?}"),
        }
        client
    }

    #[tokio::test]
    async fn s3() {
        with_bucket("chatkeep").await;
        let store = S3::open(config("chatkeep")).await.unwrap();
        suite::run(&store, suite::fresh_account()).await;
    }

    #[tokio::test]
    async fn a_bucket_that_keeps_what_is_deleted_is_refused() {
        let client = with_bucket("chatkeep-versions").await;
        let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let put = client.put_bucket_versioning().bucket("chatkeep-versions").versioning_configuration(enabled);
        put.send().await.unwrap();
        let refused = S3::open(config("chatkeep-versions")).await.err();
        assert!(matches!(refused, Some(ObjectError::Undeletable("versioning"))), "{refused:?}");
        let mut accepted = config("chatkeep-versions");
        accepted.accept_undeletable = true;
        S3::open(accepted).await.unwrap();
    }

    #[tokio::test]
    async fn a_store_that_is_not_there_or_refuses_the_key_is_an_error() {
        let missing = S3::open(config("no-such-bucket")).await.err();
        assert!(missing.is_some());
        with_bucket("chatkeep").await;
        let mut wrong = config("chatkeep");
        wrong.keys = Some(S3Keys { access: "ak".to_owned().into(), secret: "not the secret".to_owned().into() });
        assert!(matches!(S3::open(wrong).await.err(), Some(ObjectError::Storage(_))));
        let store = S3 { client: client(config("no-such-bucket")).await, bucket: "no-such-bucket".to_owned() };
        let name = ObjectName::pack(&AccountId([1; 32]), PackId([1; 16]));
        assert!(matches!(store.get(&name, None).await.err(), Some(ObjectError::Storage(_))));
    }
}
