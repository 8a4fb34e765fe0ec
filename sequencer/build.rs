//! Rebuilds the crate when a migration changes: the SQL is compiled in.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
