//! Follows the framing of a caller's HTTP/1.1 byte stream: where heads and bodies begin and end.
//!
//! hyper parses requests, but hides things that we must know: a head with both `Content-Length` and
//! `Transfer-Encoding` (it keeps the latter and drops the former), a `Content-Length` that is repeated (it keeps
//! one), a `#` in the target (it drops what follows), and how far an unfinished head has come. This
//! reader only watches. Where it cannot follow, it says so and stops; hyper's reading is the one that counts.

/// Where in the stream the reader stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Between two requests.
    Between,
    /// In a head; true: its request line is complete.
    Head(bool),
    /// In a body.
    Body,
    /// No longer followed.
    Lost,
}

/// The reader. Feed it every byte that arrives.
pub(crate) struct Framing {
    expects: Expects,
    line: Vec<u8>,
    head: Head,
    heads: u64,
    ambiguous: Option<u64>,
    longest_line: usize,
}

#[derive(Clone, Copy)]
enum Expects {
    HeadLine,
    Bytes(u64),
    ChunkSize,
    ChunkData(u64),
    Trailer,
    Nothing,
}

#[derive(Clone, Copy, Default)]
struct Head {
    has_request_line: bool,
    content_length: Option<Length>,
    is_chunked: bool,
    repeats_length: bool,
    has_bare_line_feed: bool,
    has_fragment: bool,
}

/// The value of `Content-Length`; one that is no number is refused by hyper unless the body is chunked.
#[derive(Clone, Copy)]
enum Length {
    Bytes(u64),
    Unreadable,
}

impl Framing {
    /// A reader at the start of a connection. Lines longer than `longest_line` end its interest.
    pub(crate) const fn new(longest_line: usize) -> Self {
        Self {
            expects: Expects::HeadLine,
            line: Vec::new(),
            head: Head {
                has_request_line: false,
                content_length: None,
                is_chunked: false,
                repeats_length: false,
                has_bare_line_feed: false,
                has_fragment: false,
            },
            heads: 0,
            ambiguous: None,
            longest_line,
        }
    }

    /// Where it stands.
    pub(crate) fn place(&self) -> Place {
        match self.expects {
            Expects::HeadLine if self.head.has_request_line => Place::Head(true),
            Expects::HeadLine if self.line.is_empty() => Place::Between,
            Expects::HeadLine => Place::Head(false),
            Expects::Nothing => Place::Lost,
            _ => Place::Body,
        }
    }

    /// Which request of the connection, counted from 0, can be read in two ways: its length is said twice, in one way
    /// or in two, a line ends in a line feed alone, or its target holds a `#`.
    pub(crate) const fn ambiguous(&self) -> Option<u64> {
        self.ambiguous
    }

    /// Gives up: what comes next could be read in two ways, so no further request is taken.
    fn lose(&mut self) {
        self.ambiguous.get_or_insert(self.heads);
        self.stop();
    }

    /// Stops following.
    pub(crate) fn stop(&mut self) {
        self.expects = Expects::Nothing;
        self.line = Vec::new();
    }

    /// Takes the next bytes of the stream.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = match self.expects {
                Expects::Nothing => return,
                Expects::Bytes(left) => self.skip(bytes, left, Expects::Bytes, Expects::HeadLine),
                Expects::ChunkData(left) => self.skip(bytes, left, Expects::ChunkData, Expects::ChunkSize),
                Expects::HeadLine | Expects::ChunkSize | Expects::Trailer => self.take_line(bytes),
            };
        }
    }

    fn skip<'a>(
        &mut self,
        bytes: &'a [u8],
        left: u64,
        more: impl Fn(u64) -> Expects,
        then: Expects,
    ) -> &'a [u8] {
        let present = bytes.len() as u64;
        if present < left {
            self.expects = more(left - present);
            return &[];
        }
        self.expects = then;
        bytes.split_at_checked(left as usize).map_or(&[], |(_, rest)| rest)
    }

    fn take_line<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            self.line.extend_from_slice(bytes);
            if self.line.len() > self.longest_line {
                self.lose();
            }
            return &[];
        };
        let (start, rest) = bytes.split_at_checked(end + 1).unwrap_or((bytes, &[]));
        if self.line.is_empty() {
            self.on_line(start);
        } else {
            let mut line = std::mem::take(&mut self.line);
            line.extend_from_slice(start);
            self.on_line(&line);
        }
        rest
    }

    fn on_line(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let (line, is_bare) = match line.strip_suffix(b"\r") {
            Some(line) => (line, false),
            None => (line, true),
        };
        match self.expects {
            Expects::HeadLine => {
                // Some readers take a line feed alone for the end of a line, others do not (RFC 9112 §2.2).
                self.head.has_bare_line_feed |= is_bare;
                self.on_head_line(line);
            }
            Expects::ChunkSize | Expects::Trailer if is_bare => self.lose(),
            Expects::ChunkSize => match chunk_size(line) {
                Some(0) => self.expects = Expects::Trailer,
                // The data is followed by a line break of its own.
                Some(size) => self.expects = Expects::ChunkData(size.saturating_add(2)),
                None => self.lose(),
            },
            Expects::Trailer if line.is_empty() => self.expects = Expects::HeadLine,
            _ => {}
        }
    }

    fn on_head_line(&mut self, line: &[u8]) {
        if !self.head.has_request_line {
            // Empty lines in front of a request are skipped (RFC 9112 §2.2).
            self.head.has_request_line = !line.is_empty();
            // A target has no fragment (RFC 9112 §3.2): others may take it for a part of the path.
            self.head.has_fragment = memchr::memchr(b'#', line).is_some();
            return;
        }
        if line.is_empty() {
            self.end_head();
            return;
        }
        if let Some(value) = value_of(line, b"content-length") {
            self.head.repeats_length |= self.head.content_length.is_some();
            self.head.content_length = Some(parse_number(value).map_or(Length::Unreadable, Length::Bytes));
        } else if value_of(line, b"transfer-encoding").is_some() {
            self.head.is_chunked = true;
        }
    }

    fn end_head(&mut self) {
        let head = std::mem::take(&mut self.head);
        if head.repeats_length
            || head.has_bare_line_feed
            || head.has_fragment
            || (head.is_chunked && head.content_length.is_some())
        {
            self.ambiguous.get_or_insert(self.heads);
        }
        self.heads += 1;
        self.expects = match head {
            Head { is_chunked: true, .. } => Expects::ChunkSize,
            Head { content_length: Some(Length::Bytes(length @ 1..)), .. } => Expects::Bytes(length),
            Head { content_length: Some(Length::Unreadable), .. } => Expects::Nothing,
            _ => Expects::HeadLine,
        };
    }
}

/// The value of a header line with this lower-case name.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = line.split_at_checked(name.len())?;
    let value = rest.strip_prefix(b":")?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

fn parse_number(text: &[u8]) -> Option<u64> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    digits.then(|| std::str::from_utf8(text).ok()?.parse().ok()).flatten()
}

fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| *byte == b';').next()?.trim_ascii();
    let hex = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    hex.then(|| u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::{Framing, Place};

    /// The place after `stream`, fed in pieces of every size from 1 to the whole, which must make no difference.
    fn follow(stream: &[u8]) -> (Place, Option<u64>) {
        let ends: Vec<_> = (1..=stream.len())
            .map(|size| {
                let mut framing = Framing::new(1_000);
                stream.chunks(size).for_each(|piece| framing.feed(piece));
                (framing.place(), framing.ambiguous())
            })
            .collect();
        assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{ends:?}");
        ends[0]
    }

    #[test]
    fn it_knows_where_it_stands() {
        let between = (Place::Between, None);
        assert_eq!(follow(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), between);
        assert_eq!(follow(b"\r\n\r\nGET / HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n"), between);
        assert_eq!(follow(b"GE"), (Place::Head(false), None));
        assert_eq!(follow(b"GET / HTTP/1.1\r\nHos"), (Place::Head(true), None));
        assert_eq!(follow(b"POST / HTTP/1.1\r\ncontent-LENGTH: 5\r\n\r\nabcde"), between);
        assert_eq!(follow(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcd"), (Place::Body, None));
        assert_eq!(follow(b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\nabcd"), (Place::Lost, None));
        let chunked =
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nabcde\r\n0\r\nA: b\r\n\r\n";
        assert_eq!(follow(chunked), between);
        assert_eq!(follow(&chunked[..chunked.len() - 2]), (Place::Body, None));
    }

    #[test]
    fn what_two_readers_may_cut_differently_ends_in_the_refusal_of_that_request_or_the_next() {
        assert_eq!(follow(b"GET / HTTP/1.1\r\n\r\nGET /b HTTP/1.1\nHost: a\n\n"), (Place::Between, Some(1)));
        assert_eq!(follow(b"GET / HTTP/1.1\r\nHost: a\n\r\n"), (Place::Between, Some(0)));
        let chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        for rest in [
            &b"0\r\nA: b\n\r\nX: y\r\nContent-Length: 100000\r\n\r\n"[..],
            b"0\r\n\nGET / HTTP/1.1\r\n\r\n",
            b"5\nabcde\r\n0\r\n\r\n",
            b"x\r\nabcde\r\n0\r\n\r\n",
        ] {
            assert_eq!(follow(&[chunked, rest].concat()), (Place::Lost, Some(1)));
        }
    }

    #[test]
    fn a_fragment_in_a_target_is_noticed_and_elsewhere_a_hash_is_a_character() {
        for target in ["/a#b", "#", "/?a#", "http://a/#b"] {
            let stream = format!("GET / HTTP/1.1\r\n\r\nGET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(follow(stream.as_bytes()), (Place::Between, Some(1)), "{target}");
        }
        let elsewhere = b"POST /%23 HTTP/1.1\r\nA: #\r\nContent-Length: 3\r\n\r\n#\r\n";
        assert_eq!(follow(elsewhere), (Place::Between, None));
    }

    #[test]
    fn both_lengths_in_one_head_are_noticed_in_either_order_and_only_there() {
        let one = b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        let other = b"POST / HTTP/1.1\r\ntransfer-encoding:chunked\r\nCONTENT-LENGTH:5\r\n\r\n0\r\n\r\n";
        let apart = b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcdePOST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
            22\r\nPOST /\r\ncontent-length: 1\r\n\r\n12345\r\n0\r\n\r\n";
        assert_eq!(follow(one).1, Some(0));
        assert_eq!(follow(other).1, Some(0));
        let twice = b"POST / HTTP/1.1\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\na";
        assert_eq!(follow(twice).1, Some(0));
        let unreadable = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n";
        assert_eq!(follow(unreadable).1, Some(0));
        assert_eq!(follow(apart), (Place::Between, None));
        assert_eq!(follow(&[&apart[..], &one[..]].concat()).1, Some(2));
    }
}
