//! What the demo measured: printed as tables, and written as JSON by `--json`.

use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The whole outcome of a run.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Whether every check held.
    pub passed: bool,
    /// From start to end, seconds.
    pub total_seconds: f64,
    /// How long each step took, in order.
    pub steps: Vec<Step>,
    /// The circuit.
    pub circuit: Circuit,
    /// The batches, by number.
    pub batches: Vec<BatchLine>,
    /// Gas of the contract's calls, by name.
    pub l1_calls: BTreeMap<String, GasLine>,
    /// What a plain transfer costs in the fullest call that has nothing else, in gas.
    pub gas_per_transfer: Option<u64>,
    /// Every balance that was compared.
    pub balances: Vec<BalanceLine>,
    /// Every check, in order.
    pub checks: Vec<Check>,
}

/// A step and its time.
#[derive(Debug, Serialize)]
pub struct Step {
    /// What was done.
    pub name: String,
    /// How long it took, seconds.
    pub seconds: f64,
}

/// The shape whose keys were used.
#[derive(Debug, Default, Serialize)]
pub struct Circuit {
    /// Operations a batch at most.
    pub slots: usize,
    /// Quads a batch may touch.
    pub leaf_rows: usize,
    /// Inner nodes above them.
    pub node_rows: usize,
    /// Constraints of the whole circuit, the same for every batch of the shape.
    pub constraints: usize,
}

/// One batch.
#[derive(Debug, Serialize)]
pub struct BatchLine {
    /// Its number on L1.
    pub number: u64,
    /// Operations from L1.
    pub l1_operations: usize,
    /// L2 transactions.
    pub l2_transactions: usize,
    /// Constraints of its proof.
    pub constraints: usize,
    /// Time to make the proof, milliseconds.
    pub proving_ms: u64,
    /// Batches that one call settled, this one among them.
    pub call_batches: usize,
    /// Gas of that call.
    pub gas: u64,
    /// That gas divided by the operations of all of the call's batches.
    pub gas_per_operation: u64,
    /// Bytes of operations posted.
    pub posted_bytes: usize,
}

/// Gas of one kind of call.
#[derive(Debug, Default, Serialize)]
pub struct GasLine {
    /// How often it was called.
    pub count: u64,
    /// The cheapest call.
    pub min: u64,
    /// The dearest call.
    pub max: u64,
    /// All calls together.
    pub total: u64,
}

/// One balance before and after, in the token's smallest unit.
#[derive(Debug, Serialize)]
pub struct BalanceLine {
    /// Whose it is.
    pub who: String,
    /// `L2`, `L1` or `claimable`.
    pub place: &'static str,
    /// The token's symbol.
    pub token: String,
    /// Before the scenario.
    #[serde(serialize_with = "decimal")]
    pub before: u128,
    /// What was found at the end.
    #[serde(serialize_with = "decimal")]
    pub after: u128,
    /// What the tally says.
    #[serde(serialize_with = "decimal")]
    pub expected: u128,
}

/// One check.
#[derive(Debug, Serialize)]
pub struct Check {
    /// What must hold.
    pub name: String,
    /// Whether it does.
    pub held: bool,
    /// What was found.
    pub detail: String,
}

fn decimal<S: serde::Serializer>(value: &u128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

impl Report {
    /// Notes the gas of one call.
    pub fn gas(&mut self, call: &str, gas: u64) {
        let line = self.l1_calls.entry(call.to_owned()).or_default();
        line.min = if line.count == 0 { gas } else { line.min.min(gas) };
        line.max = line.max.max(gas);
        line.total += gas;
        line.count += 1;
    }

    /// The tables, as text.
    pub fn summary(&self) -> String {
        let mut out = String::new();
        self.write_batches(&mut out);
        self.write_gas(&mut out);
        self.write_balances(&mut out);
        self.write_times(&mut out);
        out
    }

    fn write_batches(&self, out: &mut String) {
        let Circuit { slots, leaf_rows, node_rows, constraints } = self.circuit;
        line(out, "");
        line(
            out,
            &format!(
                "Batches: {slots} slots, {leaf_rows} leaf rows, {node_rows} node rows = {} constraints each",
                thousands(constraints as u128)
            ),
        );
        line(out, "  batch   from L1   on L2   proving   in a call of   its gas   gas an op   bytes");
        for b in &self.batches {
            line(
                out,
                &format!(
                    "  {:>5} {:>9} {:>7} {:>7.1} s {:>14} {:>9} {:>11} {:>7}",
                    b.number,
                    b.l1_operations,
                    b.l2_transactions,
                    b.proving_ms as f64 / 1000.0,
                    b.call_batches,
                    thousands(b.gas.into()),
                    thousands(b.gas_per_operation.into()),
                    thousands(b.posted_bytes as u128),
                ),
            );
        }
    }

    fn write_gas(&self, out: &mut String) {
        line(out, "");
        line(out, "Gas of the L1 calls");
        line(out, "  call                  times       least        most        mean");
        for (call, gas) in &self.l1_calls {
            let mean = gas.total / gas.count.max(1);
            let cells = [gas.min, gas.max, mean].map(|g| format!("{:>12}", thousands(g.into())));
            line(out, &format!("  {call:<20} {:>6}{}", gas.count, cells.concat()));
        }
        if let Some(gas) = self.gas_per_transfer {
            line(out, &format!("  a transfer, in the fullest call of nothing else: {}", thousands(gas.into())));
        }
    }

    fn write_balances(&self, out: &mut String) {
        line(out, "");
        line(out, "Balances that are or were not zero, compared with the tally");
        line(out, "  who                    where      token                     before                      after");
        let is_silent = |b: &&BalanceLine| [b.before, b.after, b.expected] == [0; 3];
        for b in self.balances.iter().filter(|b| !is_silent(b)) {
            let mark = if b.after == b.expected { "" } else { "  WRONG: the tally says " };
            let expected = if mark.is_empty() { String::new() } else { units(b.expected) };
            line(
                out,
                &format!(
                    "  {:<22} {:<10} {:<5} {:>26} {:>26}{mark}{expected}",
                    b.who,
                    b.place,
                    b.token,
                    units(b.before),
                    units(b.after)
                ),
            );
        }
    }

    fn write_times(&self, out: &mut String) {
        line(out, "");
        line(out, "Time");
        for step in &self.steps {
            line(out, &format!("  {:>7.1} s  {}", step.seconds, step.name));
        }
        line(out, &format!("  {:>7.1} s  in all", self.total_seconds));
    }
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("writing to a string");
}

/// An integer with commas between the thousands.
pub fn thousands(value: u128) -> String {
    let digits = value.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|g| std::str::from_utf8(g).expect("digits")).collect();
    groups.join(",")
}

/// An amount of a token of 18 decimals, in whole units, without trailing zeros.
pub fn units(amount: u128) -> String {
    const UNIT: u128 = 1_000_000_000_000_000_000;
    let fraction = format!("{:018}", amount % UNIT);
    let fraction = fraction.trim_end_matches('0');
    let whole = thousands(amount / UNIT);
    if fraction.is_empty() { whole } else { format!("{whole}.{fraction}") }
}
