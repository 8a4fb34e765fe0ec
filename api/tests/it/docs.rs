//! The documentation says what the code does.

use sheaf_api::error::CODES;
use std::collections::BTreeMap;

#[test]
fn error_table_lists_exactly_the_codes() {
    let text = include_str!("../../../docs/api.md");
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let code = cells.get(1)?.strip_prefix('`')?.strip_suffix('`')?;
        Some((code.to_owned(), cells.get(2)?.parse::<u16>().ok()?))
    };
    let documented: BTreeMap<_, _> = text.lines().filter_map(row).collect();
    let known: BTreeMap<_, _> = CODES.iter().map(|(code, status)| ((*code).to_owned(), *status)).collect();
    assert_eq!(documented, known);
    assert_eq!(known.len(), CODES.len(), "each code once");
}

#[test]
fn every_route_has_an_example() {
    let text = include_str!("../../../docs/api.md");
    for route in [
        "GET /v1/info",
        "GET /v1/health",
        "GET /v1/tokens",
        "POST /v1/transactions",
        "GET /v1/transactions/{hash}",
        "GET /v1/l1-operations/{hash}",
        "GET /v1/accounts/{id}",
        "GET /v1/accounts?",
        "GET /v1/batches/{number}",
        "GET /v1/batches?",
        "GET /v1/withdrawals/{batch}/{index}",
        "GET /v1/withdrawals?",
    ] {
        let at = text.find(&format!("`{route}")).unwrap_or_else(|| panic!("{route} is not documented"));
        let section = text[at..].split("\n## ").next().unwrap();
        assert!(section.contains("```json"), "{route} has no example");
    }
}
