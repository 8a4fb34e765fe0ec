//! The specification names tests; each of them must exist where it says.

use std::path::Path;

#[test]
fn every_test_that_the_specification_names_exists() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let text = std::fs::read_to_string(docs.join("protocol.md")).unwrap();
    let mut named = 0;
    for link in text.split("[`").skip(1) {
        let Some((name, rest)) = link.split_once("`](") else { continue };
        let (path, _) = rest.split_once(')').unwrap();
        let file = docs.join(path);
        assert!(file.exists(), "{path} does not exist");
        if path.contains("/tests/") {
            let source = std::fs::read_to_string(&file).unwrap();
            assert!(source.contains(&format!("fn {name}(")), "{path} has no test {name}");
            named += 1;
        }
    }
    assert!(named >= 25, "only {named} tests are named");
    for rule in 1..=13 {
        assert!(text.contains(&format!("| A{rule} |")), "A{rule} names no test");
    }
}
