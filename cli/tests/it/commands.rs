//! The command line itself.

use clap::CommandFactory as _;
use sheaf_cli::args::Cli;
use std::process::Command;

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_explains_itself_and_its_options() {
    fn check(command: &clap::Command, path: &str) {
        assert!(command.get_about().is_some(), "{path} says nothing about itself");
        for argument in command.get_arguments().filter(|a| !a.is_hide_set()) {
            assert!(argument.get_help().is_some(), "{path}: {} has no help", argument.get_id());
        }
        command.get_subcommands().for_each(|c| check(c, &format!("{path} {}", c.get_name())));
    }
    check(&Cli::command(), "sheaf");
}

#[test]
fn a_configuration_that_is_not_there_is_named_and_fails_with_status_1() {
    let output = Command::new(env!("CARGO_BIN_EXE_sheaf")).args(["api", "--config", "/nowhere/sheaf.toml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("/nowhere/sheaf.toml"), "{text}");
}

#[test]
fn a_command_line_that_makes_no_sense_fails_with_status_2() {
    let output = Command::new(env!("CARGO_BIN_EXE_sheaf")).arg("misspelt").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
