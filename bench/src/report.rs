//! Tables for people, rows as JSON for programs.

use anyhow::Context;
use serde::Serialize;
use std::path::Path;

/// Prints columns under their titles: all to the right.
pub(crate) fn table(titles: &[&str], rows: &[Vec<String>]) {
    let cells = |row: &[String]| row.iter().map(|cell| cell.chars().count()).collect::<Vec<_>>();
    let mut widths = titles.iter().map(|t| t.len()).collect::<Vec<_>>();
    for row in rows {
        widths.iter_mut().zip(cells(row)).for_each(|(width, cell)| *width = cell.max(*width));
    }
    let line = |cells: Vec<&str>| {
        let padded: Vec<_> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
        println!("{}", padded.join("  ").trim_end());
    };
    line(titles.to_vec());
    println!("{}", widths.iter().map(|width| "-".repeat(*width)).collect::<Vec<_>>().join("  "));
    for row in rows {
        line(row.iter().map(String::as_str).collect());
    }
}

/// Writes rows as one JSON array.
///
/// # Errors
/// If the file can't be written.
pub(crate) fn write_json<T: Serialize>(path: &Path, rows: &[T]) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(rows)? + "\n";
    std::fs::write(path, text).with_context(|| format!("can't write {}", path.display()))
}

/// A whole number with commas between thousands.
pub(crate) fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The middle one; the mean of the two middle ones of an even number.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) { f64::midpoint(values[middle - 1], values[middle]) } else { values[middle] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_in_groups() {
        assert_eq!(
            ["0", "999", "1,000", "1,234,568"],
            [0.0, 999.4, 999.6, 1_234_567.8].map(thousands).each_ref().map(String::as_str)
        );
    }

    #[test]
    fn the_middle_of_an_even_number_is_between() {
        assert_eq!((median(&mut [3.0, 1.0, 2.0]), median(&mut [4.0, 1.0, 3.0, 2.0])), (2.0, 2.5));
    }
}
