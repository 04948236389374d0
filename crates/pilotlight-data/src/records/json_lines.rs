//! JSON lines: one object a line.

use std::io::{self, BufRead, Read};

use serde_json::{Map, Value};

use super::{BYTE_ORDER_MARK, MAX_RECORD_BYTES, Sink};
use crate::error::quote;

pub(super) fn read(mut reader: Box<dyn BufRead + '_>, sink: &mut Sink) -> io::Result<()> {
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        let limit = MAX_RECORD_BYTES as u64 + 1;
        let n_read = (&mut reader).take(limit).read_until(b'\n', &mut bytes)?;
        if n_read == 0 {
            break;
        }
        if n_read > MAX_RECORD_BYTES {
            sink.reject_length(line, "is this a file of JSON lines, one object a line?");
            break;
        }
        let content = match line {
            1 => bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes),
            _ => &bytes,
        };
        if content.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if line == 1 && content[0] == b'[' {
            sink.reject(
                line,
                "one JSON object a line",
                "a JSON array",
                "write one object a line, for example by `jq -c '.[]'`",
            );
            break;
        }
        parse(line, content, sink);
    }
    Ok(())
}

fn parse(line: usize, content: &[u8], sink: &mut Sink) {
    let text = match std::str::from_utf8(content) {
        Ok(text) => text.trim_end(),
        Err(error) => return sink.reject_bytes(line, error),
    };
    match serde_json::from_str::<Map<String, Value>>(text) {
        Ok(fields) => sink.add(line, fields),
        Err(error) => sink.reject(
            line,
            "a JSON object",
            format!("{} ({error})", quote(text)),
            "each line must be one whole object",
        ),
    }
}
