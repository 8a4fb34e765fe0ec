//! How far making or loading keys is.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sheaf_circuits::keys::Stage;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

/// What making the development shape's keys takes on two cores, in seconds: what is said before anything could be measured.
const EXPECTED_SECONDS: f64 = 20.0;

/// Says how far the keys are: a bar on a terminal, else a line now and then. Nothing, if they are only loaded quickly.
pub(super) struct Display {
    started: Instant,
    last_line: Option<(Stage, Instant)>,
    bar: Option<ProgressBar>,
}

/// How often a line is printed where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(3);

impl Display {
    pub(super) fn new() -> Self {
        let bar = std::io::stdout().is_terminal().then(|| {
            let style = ProgressStyle::with_template("   {msg:<34} {bar:30} {percent:>3}%  {elapsed} of about {duration}");
            ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::stdout())
                .with_style(style.expect("the template is well-formed"))
        });
        Self { started: Instant::now(), last_line: None, bar }
    }

    pub(super) fn show(&mut self, stage: Stage, done: f64) {
        if let Some(bar) = &self.bar {
            bar.set_message(name(stage));
            bar.set_position((done * 1000.0) as u64);
            return;
        }
        // Loading them takes a second or two: only making them is worth a line.
        let making = matches!(stage, Stage::Evaluation | Stage::Points);
        if making && self.last_line.is_none_or(|(last, at)| last != stage || at.elapsed() >= LINE_INTERVAL) {
            let elapsed = self.started.elapsed().as_secs_f64();
            let whole = if done > 0.2 { elapsed / done } else { EXPECTED_SECONDS };
            println!(
                "   making the development keys: {} ({:.0} %, {elapsed:.0} s of about {whole:.0} s)",
                name(stage),
                done * 100.0
            );
            self.last_line = Some((stage, Instant::now()));
        }
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

const fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Circuit => "building the circuit",
        Stage::Evaluation => "evaluating it at the secret point",
        Stage::Points => "computing curve points",
        Stage::Read => "reading the key file",
    }
}
