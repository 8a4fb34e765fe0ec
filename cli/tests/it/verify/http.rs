//! As much of HTTP as a fake API, and a proxy before a real node, need.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// Serves what `answer` makes of a path and a body, as JSON, until the test ends; an empty answer is 404. Returns the URL.
pub(super) fn serve(answer: impl Fn(&str, &str) -> String + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (path, body) = request(&stream);
            let answer = answer(&path, &body);
            let status = if answer.is_empty() { "404 Not Found" } else { "200 OK" };
            // The client may have gone.
            let _ = write!(stream, "HTTP/1.1 {status}\r\n{}\r\n{answer}", headers(&answer));
        }
    });
    format!("http://{address}")
}

/// Posts a body, and returns the answer's.
pub(super) fn post(address: SocketAddr, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "POST {path} HTTP/1.1\r\nHost: {address}\r\n{}\r\n{body}", headers(body)).unwrap();
    let (_, body) = request(&stream);
    body
}

fn headers(body: &str) -> String {
    format!("Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n", body.len())
}

/// The second word of the first line, and the body: of a request, its path.
fn request(stream: &TcpStream) -> (String, String) {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.trim_end().to_ascii_lowercase()
    };
    let path = line().split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        let header = line();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (path, String::from_utf8(body).unwrap())
}
