//! The private L1 node.

use sheaf_devkit::anvil::{Anvil, AnvilOptions};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Calls a method and returns the whole answer.
fn call(anvil: &Anvil, method: &str, parameters: &str) -> String {
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{parameters}}}"#);
    let mut stream = TcpStream::connect(anvil.address()).expect("connects");
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: l1\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("received");
    answer
}

#[test]
fn a_chain_is_carried_on_with_its_logs() {
    let dir = tempfile::tempdir().expect("a directory");
    let options = AnvilOptions { persistent: true, ..AnvilOptions::default() };
    let mut first = Anvil::start(dir.path(), &options).unwrap_or_else(|error| panic!("{error}"));
    assert!(call(&first, "eth_chainId", "[]").contains("\"0x7a69\""));
    // A transaction that creates a contract whose constructor writes one log: PUSH1 0 PUSH1 0 LOG0.
    let from = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";
    let answer = call(&first, "eth_sendTransaction", &format!(r#"[{{"from":"{from}","data":"0x60006000a0"}}]"#));
    let all = r#"[{"fromBlock":"0x0","toBlock":"latest"}]"#;
    // The answer comes before the block.
    let start = Instant::now();
    let logs = loop {
        let logs = call(&first, "eth_getLogs", all);
        if logs.contains("transactionHash") {
            break logs;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{answer} {logs}");
        std::thread::sleep(Duration::from_millis(20));
    };
    first.stop();
    let mut second = Anvil::start(dir.path(), &options).unwrap_or_else(|error| panic!("{error}"));
    let again = call(&second, "eth_getLogs", all);
    let body = |answer: &str| answer[answer.find("\r\n\r\n").expect("a body")..].to_owned();
    assert_eq!(body(&again), body(&logs));
    assert!(call(&second, "eth_blockNumber", "[]").contains("\"0x1\""));
    assert!(second.service().exited().is_none());
}
