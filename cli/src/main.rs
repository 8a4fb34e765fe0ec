//! The `sheaf` binary: every process of the rollup, and the tools around them.

use clap::Parser as _;
use sheaf_cli::args::Cli;
use std::process::ExitCode;

/// Exit status 0: done. 1: it failed, and stderr says why. 2: the command line can't be understood. 3: `sheaf verify` could
/// not check all.
fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime can't be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(cli.command.run()) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
