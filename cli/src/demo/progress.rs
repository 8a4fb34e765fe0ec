//! What the demo says while it runs: numbered steps with the time since the start.

use crate::demo::report::{Check, Report, Step};
use std::time::Instant;

/// Prints steps and checks, and notes them in the report.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    step_started: Option<(String, Instant)>,
    steps: usize,
    step: usize,
    /// What has been measured so far.
    pub report: Report,
}

impl Progress {
    /// Starts the clock, for a run of so many steps.
    pub fn new(steps: usize) -> Self {
        Self { started: Instant::now(), step_started: None, steps, step: 0, report: Report::default() }
    }

    /// Begins the next step.
    pub fn step(&mut self, name: &str) {
        self.end_step();
        self.step += 1;
        println!("[{:>2}/{}] {:>6.1}s  {name}", self.step, self.steps, self.elapsed());
        self.step_started = Some((name.to_owned(), Instant::now()));
    }

    /// Says something about the step that runs.
    pub fn say(&self, text: &str) {
        println!("        {:>6.1}s    {text}", self.elapsed());
    }

    /// Notes a check, and says whether it held. The run goes on: all that is wrong is told, not the first of it.
    pub fn check(&mut self, name: impl Into<String>, held: bool, detail: impl Into<String>) {
        let check = Check { name: name.into(), held, detail: detail.into() };
        let mark = if held { "ok  " } else { "FAIL" };
        let detail = if check.detail.is_empty() { String::new() } else { format!(": {}", check.detail) };
        self.say(&format!("{mark} {}{detail}", check.name));
        self.report.checks.push(check);
    }

    /// Ends the last step and answers the report.
    pub fn finish(&mut self) -> &mut Report {
        self.end_step();
        self.report.total_seconds = self.elapsed();
        self.report.passed = !self.report.checks.is_empty() && self.report.checks.iter().all(|c| c.held);
        &mut self.report
    }

    /// Seconds since the start.
    pub fn elapsed(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    fn end_step(&mut self) {
        if let Some((name, since)) = self.step_started.take() {
            self.report.steps.push(Step { name, seconds: since.elapsed().as_secs_f64() });
        }
    }
}
