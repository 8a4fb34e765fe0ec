//! Writes the golden file of the circuit anew.

use sheaf_circuits::golden::{Golden, path};

fn main() -> std::io::Result<()> {
    let golden = Golden::current();
    golden.write()?;
    println!("{}: {golden:?}", path().display());
    Ok(())
}
