//! Follows the frames of a caller's HTTP/2 byte stream: whether a head is unfinished, and what the rest costs us.
//!
//! h2 bounds streams, header lists and CONTINUATION frames, but answers any number of pings and settings and lets
//! streams be opened and reset without end. Frames that make us work and carry nothing are paid for here from a
//! purse that fills slowly; a connection whose purse is empty ends.

/// What a connection may spend at once, and how much comes back each second.
const PURSE: u32 = 1_000;
const PER_SECOND: u64 = 200;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// What each connection begins with (RFC 9113 §3.4).
pub(crate) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The reader. Feed it every byte that arrives.
pub(crate) struct Frames {
    preface_left: usize,
    header: Vec<u8>,
    payload_left: usize,
    is_head_open: bool,
    ends_head: bool,
    purse: u32,
    filled_at: u64,
}

/// The caller sent more frames that carry nothing than it may.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Flood;

impl Frames {
    /// A reader at the start of a connection.
    pub(crate) fn new() -> Self {
        Self {
            preface_left: PREFACE.len(),
            header: Vec::with_capacity(9),
            payload_left: 0,
            is_head_open: false,
            ends_head: false,
            purse: PURSE,
            filled_at: 0,
        }
    }

    /// Whether a head has begun and not ended.
    pub(crate) const fn is_in_head(&self) -> bool {
        self.is_head_open
    }

    /// Takes the next bytes of the stream, which arrived `now` milliseconds after the connection.
    pub(crate) fn feed(&mut self, bytes: &[u8], now: u64) -> Result<(), Flood> {
        let skipped = self.preface_left.min(bytes.len());
        self.preface_left -= skipped;
        let mut bytes = bytes.get(skipped..).unwrap_or_default();
        while !bytes.is_empty() {
            if self.payload_left > 0 {
                let taken = self.payload_left.min(bytes.len());
                self.payload_left -= taken;
                bytes = bytes.get(taken..).unwrap_or_default();
                self.end_payload();
                continue;
            }
            let taken = (9 - self.header.len()).min(bytes.len());
            let (start, rest) = bytes.split_at_checked(taken).unwrap_or((bytes, &[]));
            self.header.extend_from_slice(start);
            bytes = rest;
            if let [a, b, c, kind, flags, ..] = *self.header.as_slice()
                && self.header.len() == 9
            {
                self.header.clear();
                self.begin(u32::from_be_bytes([0, a, b, c]) as usize, kind, flags, now)?;
            }
        }
        Ok(())
    }

    fn begin(&mut self, length: usize, kind: u8, flags: u8, now: u64) -> Result<(), Flood> {
        self.payload_left = length;
        if kind == HEADERS || (kind == CONTINUATION && self.is_head_open) {
            self.is_head_open = true;
            self.ends_head = flags & END_HEADERS != 0;
        }
        self.end_payload();
        let carries_nothing = length == 0 && flags & END_STREAM == 0;
        self.pay(
            match kind {
                HEADERS | WINDOW_UPDATE => 0,
                DATA | CONTINUATION => u32::from(carries_nothing),
                RESET => 4,
                SETTINGS => 10,
                _ => 1,
            },
            now,
        )
    }

    fn end_payload(&mut self) {
        if self.payload_left == 0 && self.ends_head {
            self.is_head_open = false;
            self.ends_head = false;
        }
    }

    fn pay(&mut self, price: u32, now: u64) -> Result<(), Flood> {
        if price == 0 {
            return Ok(());
        }
        let earned = now.saturating_sub(self.filled_at).saturating_mul(PER_SECOND) / 1_000;
        if earned > 0 {
            self.filled_at = now;
            self.purse = self.purse.saturating_add(u32::try_from(earned).unwrap_or(PURSE)).min(PURSE);
        }
        self.purse = self.purse.checked_sub(price).ok_or(Flood)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Flood, Frames, PREFACE};

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    }

    /// Whether a head is open after these frames, fed in pieces of every size, which must make no difference.
    fn is_in_head(frames: &[Vec<u8>]) -> bool {
        let stream = [&PREFACE[..], &frames.concat()].concat();
        let ends: Vec<_> = (1..=stream.len())
            .map(|size| {
                let mut reader = Frames::new();
                for piece in stream.chunks(size) {
                    reader.feed(piece, 0).unwrap();
                }
                reader.is_in_head()
            })
            .collect();
        assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{ends:?}");
        ends[0]
    }

    #[test]
    fn a_head_is_open_until_the_frame_that_ends_it_is_complete() {
        assert!(!is_in_head(&[frame(4, 0, b"")]));
        assert!(is_in_head(&[frame(1, 0, b"abc")]));
        assert!(is_in_head(&[frame(1, 0, b"abc"), frame(9, 0, b"d")]));
        assert!(!is_in_head(&[frame(1, 0, b"abc"), frame(9, 4, b"d")]));
        assert!(!is_in_head(&[frame(1, 4, b"abc"), frame(0, 1, b"d")]));
        assert!(!is_in_head(&[frame(1, 0, b""), frame(9, 4, b"")]));
        let whole = frame(1, 4, b"abc");
        assert!(is_in_head(&[whole[..11].to_vec()]));
    }

    /// How many of these frames a connection may send at once.
    fn most(kind: u8, payload: &[u8]) -> usize {
        let mut reader = Frames::new();
        reader.feed(PREFACE, 0).unwrap();
        (0..100_000).take_while(|_| reader.feed(&frame(kind, 0, payload), 0).is_ok()).count()
    }

    #[test]
    fn what_carries_nothing_is_bounded_and_what_carries_something_is_not() {
        assert_eq!(most(6, &[0; 8]), 1_000, "pings");
        assert_eq!(most(4, &[]), 100, "settings");
        assert_eq!(most(3, &[0; 4]), 250, "resets");
        assert_eq!(most(2, &[0; 5]), 1_000, "priorities");
        assert_eq!(most(0, &[]), 1_000, "empty data");
        assert_eq!(most(77, b"x"), 1_000, "frames of unknown type");
        assert_eq!(most(0, b"x"), 100_000, "data");
        assert_eq!(most(8, &[0; 4]), 100_000, "window updates");
    }

    #[test]
    fn the_purse_fills_again_with_time_and_not_beyond_its_size() {
        let ping = frame(6, 0, &[0; 8]);
        let spend = |times: &[(usize, u64)]| {
            let mut reader = Frames::new();
            reader.feed(PREFACE, 0).unwrap();
            times.iter().try_for_each(|(pings, now)| reader.feed(&ping.repeat(*pings), *now))
        };
        assert_eq!(spend(&[(1_000, 0), (200, 1_000)]), Ok(()));
        assert_eq!(spend(&[(1_000, 0), (201, 1_000)]), Err(Flood));
        assert_eq!(spend(&[(1_000, 0), (1_000, 1_000_000)]), Ok(()));
        assert_eq!(spend(&[(1_000, 0), (1_001, 1_000_000)]), Err(Flood));
    }
}
