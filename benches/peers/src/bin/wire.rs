//! The cost over HTTP/1.1 on loopback: servers without a layer, with ours, with a peer, under wrk.
//!
//! The servers share this program's one thread; wrk, a program of its own, has the other core. Runs
//! take turns, so that a drift of the machine meets all servers alike.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{ExitCode, Stdio};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use peers::layers::{bare, by_hand, ours};
use peers::world::World;
use peers::{Failure, line_up, machine};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::Command;
use tower::Service;
use tower_mcp_auth::SigningAlgorithm;

const USAGE: &str = "\
Measures requests per second over HTTP/1.1 on loopback. Needs wrk. See benches/peers/README.md.

Usage: target/release/wire [OPTIONS]

  --json FILE     also write everything as JSON
  --quick         three short turns (default: nine turns of three seconds)
  --help          this text
";

/// Keep-alive connections.
const CONNECTIONS: &str = "-c16";

#[derive(Default)]
struct Options {
    json: Option<String>,
    quick: bool,
    help: bool,
}

fn main() -> ExitCode {
    let outcome = options(std::env::args().skip(1))
        .and_then(|options| line_up::runtime()?.block_on(run(&options)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("wire: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options, Failure> {
    let mut options = Options::default();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--json" => options.json = Some(args.next().ok_or("--json needs a value")?),
            "--quick" => options.quick = true,
            "--help" => options.help = true,
            _ => return Err(format!("unknown option {arg}\n\n{USAGE}").into()),
        }
    }
    Ok(options)
}

async fn run(options: &Options) -> Result<(), Failure> {
    if options.help {
        print!("{USAGE}");
        return Ok(());
    }
    let machine = machine::machine();
    let world = World::start(1).await?;
    let auth = ours::authenticator(&world, true).await?;
    let token = world.token(SigningAlgorithm::Rs256).sign();
    let servers = [
        (bare::NAME, serve(bare::service()).await?),
        (ours::NAME, serve(ours::service(&auth)).await?),
        (by_hand::NAME, serve(by_hand::service(&world)?).await?),
    ];
    let (turns, seconds) = if options.quick {
        (3, "-d1s")
    } else {
        (9, "-d3s")
    };
    let mut rates = servers.map(|(name, _)| (name, Vec::new()));
    for turn in 0..=turns {
        for ((_, address), (_, rates)) in servers.iter().zip(&mut rates) {
            let rate = load(*address, &token, seconds).await?;
            // The first turn is for caches and clocks to settle.
            if turn > 0 {
                rates.push(rate);
            }
        }
        eprint!("\rturn {turn} of {turns}");
    }
    eprintln!();
    let bare = rates.first().map(|(_, rates)| rates.clone());
    let bare = bare.unwrap_or_default();
    let medians = rates.map(|(name, rates)| {
        // Turn by turn: a slow moment of the machine is in both halves of a ratio.
        let ratios = rates.iter().zip(&bare).map(|(rate, bare)| rate / bare);
        (name, median(ratios.collect()), median(rates))
    });
    println!("HTTP/1.1 on loopback, 16 connections, RS256 token sent again and again");
    println!("{:29}{:>12}{:>10}", "", "requests/s", "of bare");
    for (name, ratio, rate) in medians {
        println!("{name:29}{rate:>12.0}{ratio:>10.3}");
    }
    if let Some(file) = &options.json {
        let rows = medians.map(|(name, ratio, rate)| {
            json!({"layer": name, "row": "http1", "requests_per_second": rate.round(), "of_bare": ratio})
        });
        let document: Value = json!({
            "machine": machine, "load_after": machine::load(), "versions": machine::versions(),
            "turns": turns, "rows": rows,
        });
        std::fs::write(file, serde_json::to_string_pretty(&document)? + "\n")?;
    }
    Ok(())
}

/// Serves on any free port of loopback until the program ends.
async fn serve<S, B>(service: S) -> Result<SocketAddr, Failure>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: Body<Error: Into<Failure>, Data: Send> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(address)
}

/// One run of wrk, in requests per second. Any answer but 2xx is a failure.
async fn load(address: SocketAddr, token: &str, seconds: &str) -> Result<f64, Failure> {
    let output = Command::new("wrk")
        .args(["-t1", CONNECTIONS, seconds, "-H"])
        .arg(format!("Authorization: Bearer {token}"))
        // Ours answers no other host than the resource's.
        .args(["-H", "Host: mcp.example.com"])
        .arg(format!("http://{address}/mcp"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| {
            format!("wrk cannot be started ({error}); install it: apt-get install wrk")
        })?;
    let text = String::from_utf8_lossy(&output.stdout);
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return Err(format!("wrk was not answered as it should be:\n{text}").into());
    }
    let rate = text
        .lines()
        .find_map(|line| line.strip_prefix("Requests/sec:"));
    let rate = rate.ok_or_else(|| format!("wrk says nothing to read:\n{text}"))?;
    Ok(rate.trim().parse()?)
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or(f64::NAN)
}
