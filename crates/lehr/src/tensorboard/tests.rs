//! Files written byte by byte, broken in every way.

use super::*;
use std::io::Write;

fn key(field: u8, wire: u8) -> u8 {
    field << 3 | wire
}

fn bytes(field: u8, content: &[u8]) -> Vec<u8> {
    // Two bytes of length suffice here.
    let length = content.len() as u16;
    [&[key(field, 2), (length & 0x7f) as u8 | 0x80, (length >> 7) as u8], content].concat()
}

fn event(step: u8, value: &[u8]) -> Vec<u8> {
    let time = [&[key(1, 1)][..], &12.5f64.to_le_bytes()].concat();
    [time, vec![key(2, 0), step], bytes(5, &bytes(1, value))].concat()
}

fn simple(tag: &str, value: f32) -> Vec<u8> {
    [bytes(1, tag.as_bytes()), vec![key(2, 5)], value.to_le_bytes().to_vec()].concat()
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let sums = [file::masked(&length), file::masked(data)].map(u32::to_le_bytes);
    [&length[..], &sums[0], data, &sums[1]].concat()
}

fn logged(step: u8, value: f32) -> Vec<u8> {
    record(&event(step, &simple("loss", value)))
}

fn steps(scalars: &[Scalar]) -> Vec<u64> {
    scalars.iter().map(|scalar| scalar.step).collect()
}

#[test]
fn a_growing_file_cut_anywhere_gives_every_number_once() {
    let all: Vec<u8> = (0..5).flat_map(|step| logged(step, f32::from(step) / 4.0)).collect();
    for cut in 0..all.len() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&all[..cut]).unwrap();
        let mut reader = Reader::open(file.path()).unwrap();
        let before = reader.read_new().unwrap();
        assert_eq!(before.len(), cut * 5 / all.len());
        file.write_all(&all[cut..]).unwrap();
        let after = reader.read_new().unwrap();
        assert_eq!(steps(&[before, after].concat()), [0, 1, 2, 3, 4]);
        assert_eq!(reader.read_new().unwrap(), []);
        assert_eq!(reader.skipped(), Skipped::default());
    }
}

#[test]
fn any_single_damaged_byte_costs_its_record_and_no_other() {
    let all: Vec<u8> = (0..4).flat_map(|step| logged(step, 1.0)).collect();
    let size = all.len() / 4;
    for place in size..2 * size {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut damaged = all.clone();
        damaged[place] ^= 0x41;
        file.write_all(&damaged).unwrap();
        let mut reader = Reader::open(file.path()).unwrap();
        assert_eq!(steps(&reader.read_new().unwrap()), [0, 2, 3], "byte {place}");
        let skipped = reader.skipped();
        assert_eq!(
            (skipped.records, skipped.bytes),
            if place < size + 12 { (0, size as u64) } else { (1, 0) }
        );
    }
}

#[test]
fn garbage_between_records_is_skipped_and_what_is_no_event_file_is_refused() {
    let garbage: Vec<u8> = (0..200_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&[logged(1, 1.0), garbage.clone(), logged(2, 2.0)].concat()).unwrap();
    let mut reader = Reader::open(file.path()).unwrap();
    assert_eq!(steps(&reader.read_new().unwrap()), [1, 2]);
    assert_eq!(reader.skipped().bytes, 200_000);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&garbage).unwrap();
    let error = Reader::open(file.path()).unwrap_err().to_string();
    assert!(error.contains("is no TensorBoard event file"), "{error}");
}

#[test]
fn numbers_that_are_none_and_tensors_are_read_and_the_rest_is_passed_over() {
    let tensor = |content: &[u8]| [bytes(1, b"x"), bytes(8, content)].concat();
    let float = [vec![key(1, 0), 1], bytes(4, &2.5f32.to_le_bytes())].concat();
    let double = [vec![key(1, 0), 2], bytes(6, &0.1f64.to_le_bytes())].concat();
    let pair = [float.clone(), bytes(2, &bytes(2, &[key(1, 0), 2]))].concat();
    let text = [vec![key(1, 0), 7], bytes(8, b"words")].concat();
    let mut negative = event(1, &simple("loss", 1.0));
    negative.splice(9..11, [&[key(2, 0)][..], &[0xff; 9], &[1]].concat());
    let malformed = [event(1, &simple("loss", 1.0)), vec![key(5, 2), 100]].concat();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for data in [
        event(1, &simple("loss", f32::NAN)),
        event(2, &simple("loss", f32::NEG_INFINITY)),
        event(3, &tensor(&float)),
        event(4, &tensor(&double)),
        event(5, &tensor(&pair)),
        event(6, &tensor(&text)),
        negative,
        malformed,
        Vec::new(),
    ] {
        file.write_all(&record(&data)).unwrap();
    }
    let mut reader = Reader::open(file.path()).unwrap();
    let found = reader.read_new().unwrap();
    assert_eq!(steps(&found), [1, 2, 3, 4]);
    assert!(found[0].value.is_nan() && found[1].value == f64::NEG_INFINITY);
    assert_eq!((found[2].value, found[3].value, found[3].wall_time), (2.5, 0.1, 12.5));
    assert_eq!(reader.skipped().records, 1);
}

#[test]
fn a_folder_is_followed_and_runs_below_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("a/b");
    std::fs::create_dir_all(&run).unwrap();
    let mut early = Reader::watch(run.join("later"));
    assert_eq!(early.read_new().unwrap(), []);
    assert!(Reader::open(&run).unwrap_err().to_string().contains("holds no event files"));
    std::fs::write(run.join("events.out.tfevents.1"), logged(1, 1.0)).unwrap();
    let error = Reader::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("there are some in"), "{error}");
    assert_eq!(find_runs(folder.path()).unwrap(), std::slice::from_ref(&run));
    let mut reader = Reader::open(&run).unwrap();
    assert_eq!(reader.read_new().unwrap().len(), 1);
    std::fs::write(run.join("events.out.tfevents.2"), [logged(1, 5.0), logged(2, 1.0)].concat()).unwrap();
    let more = reader.read_new().unwrap();
    assert_eq!(steps(&more), [1, 2]);
    assert_eq!(series(more)["loss"], [(1, 5.0), (2, 1.0)]);
    let twice = [(7, 1.0), (3, 2.0), (7, 3.0)].map(|(step, value)| Scalar {
        tag: "x".into(),
        step,
        wall_time: 0.0,
        value,
    });
    assert_eq!(series(twice.to_vec())["x"], [(3, 2.0), (7, 3.0)]);
    // Written anew, shorter.
    std::fs::write(run.join("events.out.tfevents.2"), logged(9, 1.0)).unwrap();
    assert_eq!(steps(&reader.read_new().unwrap()), [9]);
    std::fs::remove_dir_all(&run).unwrap();
    assert!(reader.read_new().is_err());
}
