//! Prints the numbers in TensorBoard's event files as CSV: `cargo run -p lehr --example scalars -- FILE_OR_FOLDER`.

use lehr::tensorboard::Reader;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("name an event file, or a folder of one run")?;
    let mut reader = Reader::open(path)?;
    println!("tag,step,wall_time,value");
    for scalar in reader.read_new()? {
        println!("{:?},{},{},{}", scalar.tag, scalar.step, scalar.wall_time, scalar.value);
    }
    for (name, value) in reader.settings() {
        println!("{name:?},,,{value:?}");
    }
    let skipped = reader.skipped();
    if skipped.records + skipped.bytes > 0 {
        eprintln!("skipped {} damaged records and {} bytes between records", skipped.records, skipped.bytes);
    }
    Ok(())
}
