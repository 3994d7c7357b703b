//! HTTP/2 as bytes: just enough to say what no client library would (RFC 9113, RFC 7541).

/// One frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// An integer behind a prefix of so many bits.
fn integer(first: u8, bits: u32, value: usize) -> Vec<u8> {
    let most = (1_usize << bits) - 1;
    if value < most {
        return vec![first | u8::try_from(value).unwrap()];
    }
    let mut bytes = vec![first | u8::try_from(most).unwrap()];
    let mut rest = value - most;
    while rest >= 128 {
        bytes.push(u8::try_from(rest % 128).unwrap() | 0x80);
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).unwrap());
    bytes
}

/// A field as a literal that no table keeps.
pub fn field(name: &[u8], value: &[u8]) -> Vec<u8> {
    let text = |bytes: &[u8]| [integer(0, 7, bytes.len()), bytes.to_vec()].concat();
    [vec![0x10], text(name), text(value)].concat()
}

/// The four pseudo-headers of a request for this server.
pub fn pseudo(method: &str, path: &str) -> Vec<u8> {
    let fields = [
        (":method", method),
        (":scheme", "http"),
        (":authority", "mcp.example.com"),
        (":path", path),
    ];
    fields
        .iter()
        .flat_map(|(name, value)| field(name.as_bytes(), value.as_bytes()))
        .collect()
}

/// HEADERS, and CONTINUATION for what does not fit, of a request without a body.
pub fn headers(stream: u32, block: &[u8]) -> Vec<u8> {
    opening(stream, block, true)
}

/// The same, with or without a body to come.
pub fn opening(stream: u32, block: &[u8], ends: bool) -> Vec<u8> {
    let mut chunks: Vec<&[u8]> = block.chunks(16_384).collect();
    if chunks.is_empty() {
        chunks.push(b"");
    }
    let last = chunks.len() - 1;
    let frames = chunks.iter().enumerate().map(|(at, chunk)| {
        let end_of_stream = u8::from(ends && at == 0);
        let end_of_headers = if at == last { 4 } else { 0 };
        frame(
            if at == 0 { 1 } else { 9 },
            end_of_stream | end_of_headers,
            stream,
            chunk,
        )
    });
    frames.collect::<Vec<_>>().concat()
}
