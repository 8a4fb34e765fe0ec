//! The documented example is a configuration, and its optional keys exist and have the defaults that it says.

use sheaf_cli::config::Config;

const EXAMPLE: &str = include_str!("../../../docs/sheaf.example.toml");

/// The example with its optional keys switched on.
fn everything() -> String {
    let is_optional = |line: &str| line.starts_with("# ") && line.contains(" = ");
    EXAMPLE.lines().map(|line| if is_optional(line) { &line[2..] } else { line }).collect::<Vec<_>>().join("\n")
}

fn load_all(text: &str) -> anyhow::Result<()> {
    let config = Config::parse(text)?;
    config.sequencer()?;
    config.api()?;
    config.prover()?;
    config.settlement()?;
    Ok(())
}

#[test]
fn the_example_configures_every_process() {
    load_all(EXAMPLE).unwrap();
}

#[test]
fn the_examples_optional_keys_exist_and_have_the_documented_defaults() {
    load_all(&everything()).unwrap();
    let (plain, full) = (Config::parse(EXAMPLE).unwrap(), Config::parse(&everything()).unwrap());
    assert_eq!(format!("{:?}", plain.sequencer().unwrap()), format!("{:?}", full.sequencer().unwrap()));
    assert_eq!(format!("{:?}", plain.api().unwrap()), format!("{:?}", full.api().unwrap()));
    assert_eq!(format!("{:?}", plain.prover().unwrap()), format!("{:?}", full.prover().unwrap()));
    assert_eq!(format!("{:?}", plain.settlement().unwrap()), format!("{:?}", full.settlement().unwrap()));
}

#[test]
fn a_key_that_is_not_known_is_refused_in_every_section() {
    for section in ["database", "l1", "chain", "sequencer", "api", "prover", "settlement", "deploy"] {
        let text = EXAMPLE.replace(&format!("[{section}]\n"), &format!("[{section}]\nmisspelt = 1\n"));
        assert_ne!(text, EXAMPLE, "no section [{section}]");
        let error = format!("{:#}", load_all(&text).unwrap_err());
        assert!(error.contains("misspelt"), "[{section}]: {error}");
    }
    let error = format!("{:#}", load_all(&format!("{EXAMPLE}\n[misspelt]\n")).unwrap_err());
    assert!(error.contains("misspelt"), "{error}");
}

#[test]
fn a_shared_value_stands_in_one_place_only() {
    let text = EXAMPLE.replace("[prover]\n", "[prover]\ndatabase_url = \"postgres://elsewhere\"\n");
    let error = format!("{:#}", load_all(&text).unwrap_err());
    assert!(error.contains("is shared"), "{error}");
}

#[test]
fn the_api_asks_the_sequencer_of_the_same_file_unless_others_are_named() {
    let urls = |text: &str| Config::parse(text).unwrap().api().unwrap().sequencer_urls;
    assert_eq!(urls(EXAMPLE), ["http://127.0.0.1:7070"]);
    let two = "sequencer_urls = [\"http://10.0.0.1:7070\", \"http://10.0.0.2:7070\"]";
    let text = EXAMPLE.replace("[api]\n", &format!("[api]\n{two}\n"));
    assert_eq!(urls(&text), ["http://10.0.0.1:7070", "http://10.0.0.2:7070"]);
}
