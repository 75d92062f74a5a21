//! Opens what the configuration names: database, objects, secrets.

use std::sync::Arc;

use service::auth::secrets::Secrets;
use service::config::{Config, StorageKind};
use service::env::SystemEntropy;
use service::env::files::make_private_dir;
use service::meta::{Meta, MetaError, Sqlite};
use service::objects::{Folder, Objects};

use super::output::Failure;

pub async fn meta(config: &Config) -> Result<Arc<dyn Meta>, Failure> {
    let path = config.sqlite_path().map_err(|e| Failure::new("E_CONFIG", 2, e.to_string()))?;
    let opened = match path.parent().map_or(Ok(()), make_private_dir) {
        Ok(()) => Sqlite::open(&path).await,
        Err(e) => return Err(local(&path.display(), &e)),
    };
    match opened {
        Ok(meta) => Ok(Arc::new(meta)),
        Err(error @ MetaError::NewerSchema { .. }) => Err(Failure::new("E_VERSION", 19, error.to_string())),
        Err(error) => Err(local(&path.display(), &error)),
    }
}

pub async fn objects(config: &Config) -> Result<Arc<dyn Objects>, Failure> {
    match config.storage.kind {
        StorageKind::Fs => {
            let path = config.objects_path();
            make_private_dir(&path).map_err(|e| local(&path.display(), &e))?;
            let folder = Folder::open(&path).await.map_err(|e| local(&path.display(), &e))?;
            Ok(Arc::new(folder))
        }
        StorageKind::S3 => s3(config).await,
    }
}

#[cfg(feature = "s3")]
async fn s3(config: &Config) -> Result<Arc<dyn Objects>, Failure> {
    use service::env::files::read_private;
    use service::objects::{S3, S3Config, S3Keys};
    use zeroize::Zeroizing;

    let key = |path: &std::path::PathBuf| -> Result<Zeroizing<String>, Failure> {
        let bytes = read_private(path).map_err(|e| local(&path.display(), &e))?;
        let text = std::str::from_utf8(&bytes).map_err(|e| local(&path.display(), &e))?;
        Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
    };
    let storage = &config.storage;
    let keys = match (&storage.access_key_file, &storage.secret_key_file) {
        (Some(access), Some(secret)) => Some(S3Keys { access: key(access)?, secret: key(secret)? }),
        (None, None) => None,
        _ => return Err(Failure::new("E_CONFIG", 2, "storage: access_key_file and secret_key_file go together")),
    };
    let s3 = S3Config {
        endpoint: storage.endpoint.clone(),
        region: storage.region.clone().unwrap_or_else(|| "us-east-1".to_owned()),
        bucket: storage.bucket.clone().unwrap_or_default(),
        path_style: storage.path_style,
        keys,
        accept_undeletable: storage.accept_undeletable,
    };
    let opened = S3::open(s3).await.map_err(|e| Failure::new("E_SERVER", 22, e.to_string()))?;
    Ok(Arc::new(opened))
}

#[cfg(not(feature = "s3"))]
async fn s3(_: &Config) -> Result<Arc<dyn Objects>, Failure> {
    Err(Failure::new("E_CONFIG", 2, "storage.kind: this build has no s3"))
}

pub async fn secrets(config: &Config) -> Result<Secrets, Failure> {
    let (seed, keys) = (config.opaque_seed_file(), config.token_key_file());
    let loaded = tokio::task::spawn_blocking(move || Secrets::load(&seed, &keys, &SystemEntropy)).await;
    let loaded = loaded.map_err(|e| Failure::internal(e.to_string()))?;
    loaded.map_err(|e| Failure::new("E_IO", 32, e.to_string()))
}

fn local(place: &dyn std::fmt::Display, error: &dyn std::fmt::Display) -> Failure {
    Failure::new("E_IO", 32, format!("{place}: {error}"))
}
