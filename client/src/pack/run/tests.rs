use super::*;
use crate::crypto::SEAL_BYTES;
use crate::crypto::fixed::Fixed;
use crate::pack::block_rows::tests::{ids, rows};
use crate::pack::footer::encode_footer;
use crate::pack::reference::Fresh;
use crate::pack::{BlockInfo, PackRef, open_block, open_footer, open_run, read_block};

const LABEL: RunLabel = RunLabel { account: AccountId([1; 32]), level: 2, last_day: 77 };

/// Rows whose text does not shrink, so that packs fill.
fn noisy_rows(count: usize) -> Vec<BlockRow> {
    let mut rows = rows(count, 4);
    for row in &mut rows {
        let mut text = [0; 700];
        blake3::Hasher::new().update(row.row.native.as_bytes()).finalize_xof().fill(&mut text);
        row.row.fields.set(crate::event::tag::RAW, text.to_vec());
    }
    rows
}

fn written(rows: &[BlockRow], entropy: &mut Fixed) -> Vec<SealedRun> {
    let ids = ids();
    let mut writer = RunWriter::new(LABEL, &ids);
    let mut runs = Vec::new();
    for row in rows {
        runs.extend(writer.push(row, entropy).unwrap());
    }
    runs.extend(writer.finish(entropy).unwrap());
    runs
}

fn read(runs: &[SealedRun]) -> Vec<BlockRow> {
    let mut rows = Vec::new();
    for run in runs {
        let open = open_run(&LABEL.account, &run.entry.pack, &run.bytes).unwrap();
        for plaintext in &open.blocks {
            rows.extend(read_block(plaintext, &ids()).unwrap());
        }
    }
    rows
}

#[test]
fn rows_come_back_and_runs_fill_their_class() {
    let rows = noisy_rows(5000);
    let runs = written(&rows, &mut Fixed::new("run"));
    assert!(read(&runs) == rows);
    assert!(runs.len() >= 4);
    let (_, filled) = runs.split_last().unwrap();
    for run in filled {
        assert_eq!(run.bytes.len(), 1 << 20);
        let open = open_run(&LABEL.account, &run.entry.pack, &run.bytes).unwrap();
        let used = open.footer.range(open.blocks.len()).unwrap().end;
        assert!(run.bytes.len() - used < 64 << 10, "{} bytes of padding", run.bytes.len() - used);
    }
}

#[test]
fn an_entry_tells_what_its_rows_are() {
    let rows = rows(600, 300);
    let runs = written(&rows, &mut Fixed::new("run"));
    let [run] = runs.as_slice() else { panic!("they fit one run") };
    let entry = &run.entry;
    let arrivals = rows.iter().map(|r| r.arrival).filter(|a| *a != 0);
    assert_eq!(entry.arrival, (arrivals.clone().min().unwrap(), arrivals.max().unwrap()));
    let times = rows.iter().map(|r| r.key.time);
    assert_eq!(entry.time, (times.clone().min().unwrap(), times.max().unwrap()));
    assert_eq!((entry.rows, entry.level, entry.last_day, entry.family), (600, 2, 77, Family::Messages));
    assert!(rows.iter().all(|r| entry.filter.may_hold(&r.key.chat)));
    let again = RunEntry::decode(&entry.encode()).unwrap();
    assert!(open_run(&LABEL.account, &again.pack, &run.bytes).is_ok());
    assert!(entry.blocks > 1);
}

#[test]
fn blocks_are_read_alone_by_range() {
    let rows = rows(600, 300);
    let runs = written(&rows, &mut Fixed::new("run"));
    let (pack, bytes) = (&runs[0].entry.pack, &runs[0].bytes);
    let footer = open_footer(&LABEL.account, pack, &bytes[..pack.footer_len as usize]).unwrap();
    let mut again = Vec::new();
    for number in 1..=footer.blocks().len() {
        let sealed = &bytes[footer.range(number).unwrap()];
        let plaintext = open_block(&LABEL.account, pack, &footer, number, sealed).unwrap();
        let block = read_block(&plaintext, &ids()).unwrap();
        let info = footer.blocks()[number - 1];
        assert_eq!(
            (block.len() as u64, block[0].key.chat.0, block[0].key.time),
            (info.rows, info.first_id, info.first_time)
        );
        again.extend(block);
        let other = number % footer.blocks().len() + 1;
        assert!(open_block(&LABEL.account, pack, &footer, other, sealed).is_err(), "in another block's place");
    }
    assert!(again == rows);
    assert!(footer.range(0).is_none() && footer.range(footer.blocks().len() + 1).is_none());
    assert!(open_block(&LABEL.account, pack, &footer, 0, &[]).is_err());
}

#[test]
fn every_region_of_a_run_is_checked() {
    let rows = rows(300, 100);
    let mut runs = written(&rows, &mut Fixed::new("run"));
    let run = &mut runs[0];
    let last = run.bytes.len() - 1;
    for at in [0, 40, 79, run.entry.pack.footer_len as usize + 5, 9000, last] {
        run.bytes[at] ^= 1;
        assert!(open_run(&LABEL.account, &run.entry.pack, &run.bytes).is_err());
        // With a hash that goes along, seals and padding still refuse.
        let hash = std::mem::replace(&mut run.entry.pack.hash, *blake3::hash(&run.bytes).as_bytes());
        assert!(open_run(&LABEL.account, &run.entry.pack, &run.bytes).is_err(), "byte {at}");
        run.entry.pack.hash = hash;
        run.bytes[at] ^= 1;
    }
    assert!(open_run(&LABEL.account, &run.entry.pack, &run.bytes).is_ok());
    assert!(open_run(&AccountId([2; 32]), &run.entry.pack, &run.bytes).is_err());
    let footer_len = run.entry.pack.footer_len;
    for wrong in [0, footer_len - 1, footer_len + 1, u32::MAX] {
        let pack = &run.entry.pack;
        let key = || {
            let mut w = proto::wire::bytes::Writer::new();
            pack.encode(&mut w);
            PackRef::decode(&mut proto::wire::bytes::Reader::new(&w.finish())).unwrap()
        };
        let pack = PackRef { footer_len: wrong, ..key() };
        assert!(open_run(&LABEL.account, &pack, &run.bytes).is_err());
    }
}

#[test]
fn a_footer_that_claims_too_much_is_refused() {
    let mut entropy = Fixed::new("footer");
    let fresh = Fresh::draw(&mut entropy);
    let mut pack = PackRef { id: fresh.id, class: Class::RUN_MAX, hash: [0; 32], key: fresh.key, footer_len: 0 };
    let info = |sealed_len, first| BlockInfo { sealed_len, rows: 1, first_id: [first; 32], first_time: 0 };
    let mut opens = |class: Class, infos: &[BlockInfo], alone: bool| {
        let place = pack.place(&LABEL.account, 0, alone);
        let sealed = pack.key.seal_piece(&place, &encode_footer(infos), &mut entropy);
        (pack.class, pack.footer_len) = (class, sealed.len() as u32);
        open_footer(&LABEL.account, &pack, &sealed).is_ok()
    };
    let (run, least, longest) = (Class::RUN_MAX, SEAL_BYTES as u32, 128 << 10);
    assert!(opens(run, &[info(least, 1), info(longest, 2)], false));
    assert!(!opens(run, &[info(least, 2), info(least, 1)], false), "blocks out of order");
    assert!(!opens(run, &[info(least - 1, 1)], false), "a block shorter than its seal");
    assert!(!opens(run, &[info(longest + 1, 1)], false), "a block longer than any");
    assert!(!opens(run, &[info(longest, 1); 8], false), "blocks beyond the pack's end");
    assert!(opens(run, &[], true) && !opens(run, &[], false) && !opens(run, &[info(least, 1)], true), "the last piece");
    let many = vec![info(least, 1); (1 << 14) + 1];
    assert!(opens(Class::MAX, &many[1..], false) && !opens(Class::MAX, &many, false), "more blocks than a run has");
}

#[test]
fn what_does_not_read_back_is_not_given_out() {
    let mut entropy = Fixed::new("self-check");
    let rows = rows(10, 100);
    let mut seal = |read: fn(&[u8], &mut blake3::Hasher) -> Option<()>| {
        let (mut builder, mut assembly) = (BlockBuilder::default(), Assembly::default());
        for row in &rows {
            builder.push(row).unwrap();
        }
        assembly.push(builder.close().unwrap());
        assembly.seal(&LABEL.account, Class::PACK, &mut entropy, read).err()
    };
    assert_eq!(seal(|_, _| None), Some(PackError::SelfCheck), "its plaintext cannot be read");
    assert_eq!(seal(|_, _| Some(())), Some(PackError::SelfCheck), "it reads as other rows");
}

#[test]
fn order_is_held_across_blocks_and_nothing_gives_nothing() {
    let (ids, mut entropy) = (ids(), Fixed::new("run"));
    let rows = rows(600, 300);
    let mut writer = RunWriter::new(LABEL, &ids);
    for row in &rows[..300] {
        writer.push(row, &mut entropy).unwrap();
    }
    assert_eq!(writer.push(&rows[299], &mut entropy).err(), Some(PackError::Order));
    assert_eq!(writer.push(&rows[0], &mut entropy).err(), Some(PackError::Order));
    assert!(RunWriter::new(LABEL, &ids).finish(&mut entropy).unwrap().is_empty());
}

#[test]
fn a_front_page_fits_or_says_that_it_does_not() {
    let (ids, mut entropy) = (ids(), Fixed::new("front"));
    let small = rows(20, 100);
    let page = seal_front_page(&LABEL.account, &small, &ids, &mut entropy).unwrap().unwrap();
    assert_eq!(page.bytes.len(), 16 << 10);
    let open = open_run(&LABEL.account, &page.pack, &page.bytes).unwrap();
    assert!(read_block(&open.blocks[0], &ids).unwrap() == small);
    let large = noisy_rows(2000);
    assert!(seal_front_page(&LABEL.account, &large, &ids, &mut entropy).unwrap().is_none());
    let fits = &noisy_rows(150)[..];
    assert_eq!(seal_front_page(&LABEL.account, fits, &ids, &mut entropy).unwrap().unwrap().bytes.len(), 128 << 10);
    let empty = seal_front_page(&LABEL.account, &[], &ids, &mut entropy).unwrap().unwrap();
    assert!(open_run(&LABEL.account, &empty.pack, &empty.bytes).unwrap().blocks.is_empty());
}
