//! `sheaf prover`: the service, and what an operator does about its jobs.

use crate::config::Config;
use crate::service;
use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use sheaf_prover::Unattended;
use sheaf_prover::jobs::{Job, Jobs, Status};
use std::path::PathBuf;

/// What `sheaf prover` takes.
#[derive(Args, Debug)]
pub struct Options {
    /// The configuration file; `docs/sheaf.example.toml` explains it.
    #[arg(long, env = "SHEAF_CONFIG", default_value = "sheaf.toml", value_name = "FILE", global = true)]
    pub config: PathBuf,
    /// What to do instead of proving.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What there is besides the service itself.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// See the proof jobs, and try them again.
    #[command(subcommand)]
    Jobs(JobsCommand),
}

/// What can be done with jobs.
#[derive(Debug, Subcommand)]
pub enum JobsCommand {
    /// List the jobs that are not done, those first that have failed too often.
    List(ListOptions),
    /// Queue jobs anew that are parked or wait, as if they had never been tried.
    Retry(RetryOptions),
}

/// How it is printed.
#[derive(Args, Debug)]
pub struct ListOptions {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Which jobs.
#[derive(Args, Debug)]
pub struct RetryOptions {
    /// The numbers of the batches; all of them are queued, or none.
    #[arg(value_name = "BATCH", required_unless_present = "parked", value_parser = clap::value_parser!(i64).range(0..))]
    pub batches: Vec<i64>,
    /// All that are parked.
    #[arg(long, conflicts_with = "batches")]
    pub parked: bool,
}

/// Does it.
///
/// # Errors
/// The service's own; the name of what a job is refused for.
pub async fn run(options: Options) -> Result<()> {
    let config = Config::load(&options.config).context("the configuration is unusable")?;
    let Some(Command::Jobs(command)) = options.command else {
        return service::run("prover", config.prover()?, sheaf_prover::run).await;
    };
    let jobs = Jobs::open(&config.database.url)?;
    match command {
        JobsCommand::List(options) => {
            let list = jobs.list().await.context("reading the jobs")?;
            if options.json {
                println!("{}", serde_json::to_string(&list)?);
            } else {
                lines(&list).iter().for_each(|line| println!("{line}"));
                let unattended = jobs.unattended().await.context("reading which shapes nobody proves")?;
                unattended.iter().for_each(|found| println!("{}", unattended_line(found)));
            }
        }
        JobsCommand::Retry(options) => {
            let batches = if options.parked {
                jobs.retry_parked().await?
            } else {
                jobs.retry(&options.batches).await?;
                options.batches
            };
            batches.iter().for_each(|batch| println!("batch {batch} is queued"));
            if batches.is_empty() {
                println!("no job is parked");
            }
        }
    }
    Ok(())
}

/// The list for people, a job a line.
fn lines(jobs: &[Job]) -> Vec<String> {
    if jobs.is_empty() {
        return vec!["every job is done".to_owned()];
    }
    let head = ["batch", "shape", "status", "attempts", "left", "worker", "last error"].map(str::to_owned);
    let rows: Vec<[String; 7]> = std::iter::once(head).chain(jobs.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; 7] = std::array::from_fn(width);
    let line = |row: &[String; 7]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn unattended_line(found: &Unattended) -> String {
    let Unattended { shape, jobs, waited } = found;
    format!("no prover that runs has keys for shape {shape}: {jobs} free, the first for {} s", waited.as_secs())
}

fn row(job: &Job) -> [String; 7] {
    let status = match job.status {
        Status::Parked => "parked",
        Status::Leased => "leased",
        Status::Queued => "queued",
        Status::Unbuilt => "unbuilt",
        Status::Done => "done",
    };
    let left = job.lease_left_ms.or(job.wait_left_ms).filter(|ms| *ms > 0);
    [
        job.batch.to_string(),
        job.shape.to_string(),
        status.to_owned(),
        job.attempts.to_string(),
        left.map_or_else(|| "-".to_owned(), |ms| format!("{} s", ms.div_ceil(1000))),
        job.worker.clone().unwrap_or_else(|| "-".to_owned()),
        // The error may have several lines.
        job.last_error.as_deref().unwrap_or("-").split_whitespace().collect::<Vec<_>>().join(" "),
    ]
}

#[cfg(test)]
mod tests {
    use super::{Command, JobsCommand, Options, lines, unattended_line};
    use crate::args::{Cli, Command as Sheaf};
    use clap::Parser as _;
    use sheaf_prover::Unattended;
    use sheaf_prover::jobs::{Job, Status};
    use std::path::Path;
    use std::time::Duration;

    fn options(line: &str) -> Result<Options, clap::Error> {
        match Cli::try_parse_from(line.split(' '))?.command {
            Sheaf::Prover(options) => Ok(options),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn without_a_command_it_is_the_service() {
        assert!(options("sheaf prover --config a.toml").unwrap().command.is_none());
        assert!(options("sheaf prover jobs").is_err());
    }

    #[test]
    fn the_configuration_is_named_before_or_after_the_command() {
        for line in ["sheaf prover --config a.toml jobs list", "sheaf prover jobs list --config a.toml --json"] {
            let options = options(line).unwrap();
            assert_eq!(options.config, Path::new("a.toml"));
            assert!(matches!(options.command, Some(Command::Jobs(JobsCommand::List(_)))), "{line}");
        }
    }

    #[test]
    fn batches_or_all_parked_ones_are_tried_again() {
        let retry = |line: &str| match options(line)?.command {
            Some(Command::Jobs(JobsCommand::Retry(options))) => Ok::<_, clap::Error>((options.batches, options.parked)),
            other => panic!("{other:?}"),
        };
        assert_eq!(retry("sheaf prover jobs retry 3 4").unwrap(), (vec![3, 4], false));
        assert_eq!(retry("sheaf prover jobs retry --parked").unwrap(), (vec![], true));
        for line in ["sheaf prover jobs retry", "sheaf prover jobs retry 3 --parked", "sheaf prover jobs retry x"] {
            assert!(retry(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_job_is_a_line() {
        let job = Job {
            batch: 12,
            shape: 1,
            status: Status::Parked,
            attempts: 5,
            worker: Some("host:7".to_owned()),
            lease_left_ms: None,
            wait_left_ms: None,
            last_error: Some("wrong_proof:\nno".to_owned()),
        };
        let leased =
            Job { batch: 3, shape: 0, status: Status::Leased, lease_left_ms: Some(28_001), last_error: None, ..job.clone() };
        let unbuilt = Job { batch: 13, status: Status::Unbuilt, attempts: 0, worker: None, last_error: None, ..job.clone() };
        let expected = [
            "batch  shape  status   attempts  left  worker  last error",
            "12     1      parked   5         -     host:7  wrong_proof: no",
            "3      0      leased   5         29 s  host:7  -",
            "13     1      unbuilt  0         -     -       -",
        ];
        assert_eq!(lines(&[job, leased, unbuilt]), expected);
        assert_eq!(lines(&[]), ["every job is done"]);
        let found = Unattended { shape: 1, jobs: 3, waited: Duration::from_millis(61_900) };
        assert_eq!(unattended_line(&found), "no prover that runs has keys for shape 1: 3 free, the first for 61 s");
    }
}
