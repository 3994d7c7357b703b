//! Measures this crate's layer beside its peers: a table on stdout, JSON with `--json FILE`.

use std::io::Write as _;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use peers::report::{self, Result as Measured};
use peers::rounds::{self, Plan};
use peers::world::World;
use peers::{Failure, line_up, machine};
use serde::Deserialize;
use serde_json::json;

const USAGE: &str = "\
Measures tower-mcp-auth beside its peers, in one run. See benches/peers/README.md.

Usage: target/release/peers [OPTIONS]

  --json FILE     also write everything as JSON
  --quick         a few rounds: does it work, roughly how fast (default: 60 to 90 s)
  --only PEER     leave out peers whose name does not hold PEER
  --help          this text
";

/// Long enough that `first_sight` of a layer without a cache never meets a token still in the CPU's.
const RING: usize = 4_096;

#[derive(Default)]
struct Options {
    json: Option<String>,
    only: Option<String>,
    quick: bool,
    help: bool,
}

fn main() -> ExitCode {
    match options(std::env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("peers: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options, Failure> {
    let mut options = Options::default();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--json" => options.json = Some(value()?),
            "--only" => options.only = Some(value()?),
            "--quick" => options.quick = true,
            "--help" => options.help = true,
            _ => return Err(format!("unknown option {arg}\n\n{USAGE}").into()),
        }
    }
    Ok(options)
}

fn run(options: &Options) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    if options.help {
        return Ok(write!(out, "{USAGE}")?);
    }
    let machine = machine::machine();
    let counts = allocations(options.only.as_deref())?;
    let runtime = line_up::runtime()?;
    let ring = if options.quick { RING / 4 } else { RING };
    let world = runtime.block_on(World::start(ring))?;
    let mut rows = line_up::rows(&runtime, &world, options.only.as_deref())?.rows;
    let (rounds, turn) = if options.quick { (5, 10) } else { (35, 30) };
    let plan = Plan {
        rounds,
        turn: Duration::from_millis(turn),
    };
    let start = Instant::now();
    let timings = rounds::measure(&mut rows, plan, |round| {
        eprint!("\rround {} of {rounds}", round + 1);
        // What layers do in the background, they do now.
        runtime.block_on(async { tokio::time::sleep(Duration::from_millis(2)).await });
    })?;
    eprintln!(", {:.0} s", start.elapsed().as_secs_f64());
    let results: Vec<Measured> = rows
        .iter()
        .zip(timings)
        .map(|(row, timing)| Measured {
            layer: row.layer,
            row: row.name,
            timing,
            allocations: counts
                .iter()
                .find(|count| count.is_of(row.layer, row.name))
                .map(|count| count.allocations),
        })
        .collect();
    writeln!(out, "{}", report::times(&results))?;
    writeln!(out, "{}", report::allocations(&results))?;
    write!(out, "{}", report::ratios(&results))?;
    if let Some(file) = &options.json {
        let rows: Vec<_> = results.iter().map(json_row).collect();
        let document = json!({
            "machine": machine, "load_after": machine::load(), "versions": machine::versions(),
            "rounds": rounds, "turn_ms": turn, "rows": rows,
        });
        std::fs::write(file, serde_json::to_string_pretty(&document)? + "\n")?;
    }
    Ok(())
}

fn json_row(result: &Measured) -> serde_json::Value {
    json!({
        "layer": result.layer,
        "row": result.row,
        "ns": result.timing.median.round(),
        "ns_quartiles": [result.timing.low.round(), result.timing.high.round()],
        "allocations": result.allocations,
    })
}

#[derive(Deserialize)]
struct Count {
    layer: String,
    row: String,
    allocations: u64,
}

impl Count {
    fn is_of(&self, layer: &str, row: &str) -> bool {
        self.layer == layer && self.row == row
    }
}

/// Has the program beside this one count.
fn allocations(only: Option<&str>) -> Result<Vec<Count>, Failure> {
    let program = std::env::current_exe()?.with_file_name("allocations");
    if !program.exists() {
        return Err("build all of it first: cargo build --release".into());
    }
    let output = Command::new(program).args(only).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
