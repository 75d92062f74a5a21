//! One suite for every object store.

use std::io;

use bytes::Bytes;
use proto::wire::ids::{AccountId, PackId};

use super::{Content, Found, OBJECT_BYTES_MAX, ObjectError, ObjectName, Objects, collect};

/// Content of a length, different at every place, in pieces of a size.
pub fn content(length: usize, seed: u8, piece: usize) -> (Bytes, Content) {
    let mut hash = blake3::Hasher::new();
    hash.update(&[seed]);
    let mut whole = vec![0; length];
    hash.finalize_xof().fill(&mut whole);
    let pieces: Vec<io::Result<Bytes>> = whole.chunks(piece).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
    (whole.into(), Box::pin(tokio_stream::iter(pieces)))
}

/// An account of this run alone: stores that outlive a run are shared by many.
pub fn fresh_account() -> AccountId {
    let unique = tempfile::tempdir().unwrap();
    AccountId(blake3::hash(unique.path().as_os_str().as_encoded_bytes()).into())
}

/// Runs everything under the names of an account that no other run uses.
pub async fn run(store: &dyn Objects, account: AccountId) {
    let name = |id: u8| ObjectName::pack(&account, PackId([id; 16]));
    let read = async |id: u8, range| collect(store.get(&name(id), range).await?, OBJECT_BYTES_MAX).await;

    store.ready().await.unwrap();
    whole_or_not_at_all(store, &name(1)).await;

    // Whole, and any range of it.
    let (bytes, stream) = content(1 << 20, 2, 10_000);
    store.put_stream(&name(2), 1 << 20, stream).await.unwrap();
    assert_eq!(read(2, None).await.unwrap(), bytes);
    for (start, end) in [(0, 1 << 16), (1 << 16, 1 << 17), ((1 << 20) - 1, 1 << 20), (0, 1 << 20), (5, 5)] {
        let part = read(2, Some(start..end)).await.unwrap();
        assert_eq!(part, bytes.slice(start as usize..end as usize), "{start}..{end}");
    }
    for (start, end) in [(0, (1 << 20) + 1), (1 << 21, 1 << 22)] {
        assert!(matches!(store.get(&name(2), Some(start..end)).await.err(), Some(ObjectError::OutOfRange)));
    }
    assert_eq!(store.length(&name(2)).await.unwrap(), 1 << 20);
    // The same upload again, as after a crash before it was noted.
    let (_, stream) = content(1 << 20, 2, 77_777);
    store.put_stream(&name(2), 1 << 20, stream).await.unwrap();
    assert_eq!(read(2, None).await.unwrap(), bytes);

    // The largest pack there is.
    let (bytes, stream) = content(OBJECT_BYTES_MAX as usize, 3, 1 << 20);
    store.put_stream(&name(3), OBJECT_BYTES_MAX, stream).await.unwrap();
    assert_eq!(read(3, None).await.unwrap(), bytes);

    // Small objects are replaced.
    store.put(&name(4), Bytes::from_static(b"one")).await.unwrap();
    store.put(&name(4), Bytes::from_static(b"another")).await.unwrap();
    assert_eq!(read(4, None).await.unwrap(), "another");
    assert_eq!(store.length(&name(4)).await.unwrap(), 7);

    let found = |id: u8, bytes| Found { name: name(id), bytes };
    let all = [found(2, 1 << 20), found(3, OBJECT_BYTES_MAX), found(4, 7)];
    assert_eq!(store.list(&account.address(), None, 10).await.unwrap(), all);
    assert_eq!(store.list(&account.address(), None, 2).await.unwrap(), all[..2]);
    assert_eq!(store.list(&account.address(), Some(&name(2)), 10).await.unwrap(), all[1..]);
    assert_eq!(store.list(&AccountId([0xee; 32]).address(), None, 10).await.unwrap(), []);

    for id in 1..=4 {
        store.delete(&name(id)).await.unwrap();
        store.delete(&name(id)).await.unwrap();
        assert!(matches!(store.get(&name(id), None).await.err(), Some(ObjectError::NotFound)));
        assert!(matches!(store.length(&name(id)).await.err(), Some(ObjectError::NotFound)));
    }
    assert_eq!(store.list(&account.address(), None, 10).await.unwrap(), []);
}

async fn whole_or_not_at_all(store: &dyn Objects, name: &ObjectName) {
    for (length, given) in [(1 << 16, (1 << 16) - 1), (1 << 16, (1 << 16) + 1), (1 << 16, 0)] {
        let (_, stream) = content(given, 1, 1000);
        let refused = store.put_stream(name, length, stream).await.err();
        assert!(matches!(refused, Some(ObjectError::WrongLength)), "{given}: {refused:?}");
    }
    let (whole, _) = content(1 << 16, 1, 1000);
    let broken: Vec<io::Result<Bytes>> = vec![Ok(whole), Err(io::Error::other("the sender went away"))];
    let refused = store.put_stream(name, 1 << 16, Box::pin(tokio_stream::iter(broken))).await.err();
    assert!(matches!(refused, Some(ObjectError::Interrupted(_))), "{refused:?}");
    assert!(matches!(store.get(name, None).await.err(), Some(ObjectError::NotFound)));
    assert_eq!(store.list(name.folder(), None, 10).await.unwrap(), []);
}

mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::super::{Folder, Memory};
    use super::*;

    const ACCOUNT: AccountId = AccountId([0xac; 32]);

    fn files(root: &Path) -> usize {
        let entries = std::fs::read_dir(root).unwrap().map(|e| e.unwrap());
        entries.map(|e| if e.file_type().unwrap().is_dir() { files(&e.path()) } else { 1 }).sum()
    }

    #[tokio::test]
    async fn memory() {
        run(&Memory::new(), fresh_account()).await;
    }

    #[tokio::test]
    async fn folder() {
        let dir = tempfile::tempdir().unwrap();
        let store = Folder::open(&dir.path().join("objects")).await.unwrap();
        run(&store, ACCOUNT).await;
        assert_eq!(files(dir.path()), 0, "nothing is left beside");
        assert!(store.free_bytes().await.unwrap().unwrap() > 0);
    }

    #[tokio::test]
    async fn a_kept_object_is_never_replaced_by_a_stream() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).await.unwrap();
        let memory = Memory::new();
        let name = ObjectName::pack(&ACCOUNT, PackId([1; 16]));
        for store in [&folder as &dyn Objects, &memory] {
            let (kept, stream) = content(1 << 16, 1, 5000);
            store.put_stream(&name, 1 << 16, stream).await.unwrap();
            for (length, seed) in [(1 << 16, 2), (1 << 17, 1)] {
                let (_, other) = content(length, seed, 5000);
                let refused = store.put_stream(&name, length as u64, other).await.err();
                assert!(matches!(refused, Some(ObjectError::Conflict)));
            }
            assert_eq!(collect(store.get(&name, None).await.unwrap(), 1 << 16).await.unwrap(), kept);
        }
    }

    #[tokio::test]
    async fn what_a_crash_left_unfinished_is_removed_and_the_rest_stays() {
        let dir = tempfile::tempdir().unwrap();
        let name = ObjectName::pack(&ACCOUNT, PackId([1; 16]));
        let store = Folder::open(dir.path()).await.unwrap();
        store.put(&name, Bytes::from_static(b"kept")).await.unwrap();
        std::fs::write(dir.path().join(".unfinished/0"), b"half").unwrap();
        std::fs::write(dir.path().join(".unfinished/17"), b"half").unwrap();
        assert_eq!(files(dir.path()), 3);
        let store = Folder::open(dir.path()).await.unwrap();
        assert_eq!(files(dir.path()), 1);
        store.put(&name, Bytes::from_static(b"again")).await.unwrap();
        assert_eq!(collect(store.get(&name, None).await.unwrap(), 9).await.unwrap(), "again");
        let mode = std::fs::metadata(dir.path().join(name.key())).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }

    #[tokio::test]
    async fn an_upload_that_is_given_up_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Folder::open(dir.path()).await.unwrap();
        let name = ObjectName::pack(&ACCOUNT, PackId([1; 16]));
        let (pieces, received) = tokio::sync::mpsc::channel(1);
        let stream = Box::pin(tokio_stream::wrappers::ReceiverStream::new(received));
        pieces.send(Ok(Bytes::from_static(b"part"))).await.unwrap();
        let upload = store.put_stream(&name, 1 << 16, stream);
        let given_up = tokio::time::timeout(std::time::Duration::from_millis(50), upload).await;
        assert!(given_up.is_err());
        for _ in 0..200 {
            if files(dir.path()) == 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("the unfinished file is still there");
    }
}
