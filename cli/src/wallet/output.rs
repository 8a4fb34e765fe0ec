//! What the commands print: one JSON object, or lines for people.

use serde_json::Value;

/// Prints an object on one line.
pub(super) fn print_json(value: &Value) {
    println!("{value}");
}

/// Prints the object, or the lines that say the same.
pub(super) fn print(json: bool, value: &Value, lines: &[String]) {
    if json {
        print_json(value);
    } else {
        lines.iter().for_each(|line| println!("{line}"));
    }
}
