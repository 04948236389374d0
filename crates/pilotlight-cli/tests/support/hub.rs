//! A small hub on the loopback interface, with the faults that real ones have.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use sha2::{Digest, Sha256};

/// The only commit.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What the hub does wrong.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// The first transfer of each file ends after so many bytes.
    pub(crate) cut_after: Option<usize>,
    /// Every transfer does.
    pub(crate) cut_always: bool,
    /// Ranges are ignored: all of the file is sent.
    pub(crate) ignores_ranges: bool,
    /// The content differs from the hash.
    pub(crate) corrupts: bool,
    /// Transfers have more bytes than was said.
    pub(crate) adds_bytes: bool,
}

/// A running hub.
pub(crate) struct TestHub {
    pub(crate) endpoint: String,
    requests: Arc<Mutex<Vec<String>>>,
}

struct Served {
    files: Vec<(String, Vec<u8>)>,
    faults: Faults,
    token: Option<&'static str>,
    cut: Mutex<Vec<String>>,
}

impl TestHub {
    /// Serves the files of the repository `owner/model` (and of the data set of that name). Where a token is given,
    /// requests without it are refused.
    pub(crate) fn start(
        files: &[(&str, &[u8])],
        faults: Faults,
        token: Option<&'static str>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let files = files
            .iter()
            .map(|(name, content)| ((*name).to_owned(), content.to_vec()));
        let served = Arc::new(Served {
            files: files.collect(),
            faults,
            token,
            cut: Mutex::default(),
        });
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (served, seen) = (Arc::clone(&served), Arc::clone(&seen));
                // A client that hangs up early is no fault of the hub.
                thread::spawn(move || served.answer(&stream, &seen));
            }
        });
        Self { endpoint, requests }
    }

    /// Path and range of every request so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("requests").clone()
    }
}

impl Served {
    fn answer(&self, stream: &TcpStream, seen: &Mutex<Vec<String>>) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream).lines();
        let Some(first) = lines.next().transpose()? else {
            return Ok(());
        };
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let (mut range, mut token) = (None, None);
        for line in lines {
            let line = line?;
            match line.split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("range") => {
                    range = Some(value.to_owned())
                }
                Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                    token = Some(value.to_owned())
                }
                Some(_) => {}
                None => break,
            }
        }
        let shown = range
            .as_ref()
            .map_or(path.clone(), |range| format!("{path} {range}"));
        seen.lock().expect("requests").push(shown);
        if self
            .token
            .is_some_and(|wanted| token != Some(format!("Bearer {wanted}")))
        {
            return respond(stream, "401 Unauthorized", "", b"");
        }
        let names = [
            "/api/models/owner/model/revision/",
            "/api/datasets/owner/model/revision/",
        ];
        if let Some(revision) = names.iter().find_map(|name| path.strip_prefix(name)) {
            if !["main", COMMIT].contains(&revision) {
                return respond(stream, "404 Not Found", "", b"");
            }
            let siblings: Vec<_> = self
                .files
                .iter()
                .map(|(name, _)| serde_json::json!({ "rfilename": name }))
                .collect();
            let info = serde_json::json!({ "sha": COMMIT, "siblings": siblings }).to_string();
            return respond(
                stream,
                "200 OK",
                "content-type: application/json\r\n",
                info.as_bytes(),
            );
        }
        let folders = ["/owner/model/resolve/", "/datasets/owner/model/resolve/"];
        let file = folders.iter().find_map(|folder| {
            path.strip_prefix(folder)?
                .strip_prefix(COMMIT)?
                .strip_prefix('/')
        });
        match self
            .files
            .iter()
            .find(|(name, _)| Some(name.as_str()) == file)
        {
            Some((name, content)) => self.send(stream, name, content, range.as_deref()),
            None => respond(stream, "404 Not Found", "", b""),
        }
    }

    fn send(
        &self,
        mut stream: &TcpStream,
        name: &str,
        content: &[u8],
        range: Option<&str>,
    ) -> std::io::Result<()> {
        let hash: String = Sha256::digest(content)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let range = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        let is_probe = range == Some(("0", "0"));
        let first: usize = range.and_then(|(first, _)| first.parse().ok()).unwrap_or(0);
        let first = if self.faults.ignores_ranges && !is_probe {
            0
        } else {
            first
        };
        let end = if is_probe { 1 } else { content.len() };
        if first >= end {
            return respond(stream, "416 Range Not Satisfiable", "", b"");
        }
        let mut body = content[first..end].to_vec();
        if !is_probe && self.faults.corrupts {
            body[0] ^= 1;
        }
        if !is_probe && self.faults.adds_bytes {
            body.extend(b"more");
        }
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\ncontent-length: {}\r\ncontent-range: bytes {first}-{}/{}\r\netag: \
             \"{hash}\"\r\nx-repo-commit: {COMMIT}\r\nconnection: close\r\n\r\n",
            body.len(),
            end - 1,
            content.len(),
        );
        if let Some(n_bytes) = self.faults.cut_after.filter(|_| !is_probe) {
            let mut cut = self.cut.lock().expect("names");
            if self.faults.cut_always || !cut.contains(&name.to_owned()) {
                cut.push(name.to_owned());
                body.truncate(n_bytes);
            }
        }
        stream.write_all(head.as_bytes())?;
        stream.write_all(&body)
    }
}

fn respond(
    mut stream: &TcpStream,
    status: &str,
    headers: &str,
    body: &[u8],
) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}
