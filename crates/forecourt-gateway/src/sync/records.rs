//! Records in a file: how a node tells what was wholly written from what was not.
//!
//! A record is `[length, checksum of the length, checksum of the body, body]`, the numbers 4 bytes little-endian, the
//! checksums CRC-32. The length has a checksum of its own: else one flipped bit in it would look like a record that
//! was not finished, and what follows it would be dropped in silence.

use std::io::{self, Read};

/// The bytes before a body.
pub(crate) const HEAD: usize = 12;
/// The most bytes of a body.
pub(crate) const MOST: usize = 256 << 20;

/// What was found where a record might begin.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A whole record.
    Body(Vec<u8>),
    /// The end of the file.
    End,
    /// The beginning of a record, and then the end of the file: its writing was cut off.
    Torn,
    /// Something that was never written like this.
    Damaged,
}

/// Appends a record with this body.
pub(crate) fn append(to: &mut Vec<u8>, body: &[u8]) {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes();
    to.extend_from_slice(&length);
    to.extend_from_slice(&crc32fast::hash(&length).to_le_bytes());
    to.extend_from_slice(&crc32fast::hash(body).to_le_bytes());
    to.extend_from_slice(body);
}

/// Reads the next record.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn read(from: &mut impl Read) -> io::Result<Found> {
    let mut head = [0; HEAD];
    let there = fill(from, &mut head)?;
    if there == 0 {
        return Ok(Found::End);
    }
    if there < HEAD {
        return Ok(Found::Torn);
    }
    let [a, b, c, d, e, f, g, h, i, j, k, l] = head;
    let length = [a, b, c, d];
    let (length_sum, body_sum) = (u32::from_le_bytes([e, f, g, h]), u32::from_le_bytes([i, j, k, l]));
    let most = u32::from_le_bytes(length) as usize;
    if crc32fast::hash(&length) != length_sum || most > MOST {
        return blank_to_the_end(from, &head);
    }
    let mut body = Vec::new();
    from.by_ref().take(most as u64).read_to_end(&mut body)?;
    Ok(match body.len() == most {
        false => Found::Torn,
        true if crc32fast::hash(&body) == body_sum => Found::Body(body),
        true => Found::Damaged,
    })
}

/// A file that grew and was not written before the power went is blank at its end.
fn blank_to_the_end(from: &mut impl Read, head: &[u8]) -> io::Result<Found> {
    let mut piece = [0; 4_096];
    let mut is_blank = head.iter().all(|byte| *byte == 0);
    while is_blank {
        let there = fill(from, &mut piece)?;
        if there == 0 {
            return Ok(Found::Torn);
        }
        is_blank = piece.iter().take(there).all(|byte| *byte == 0);
    }
    Ok(Found::Damaged)
}

/// Reads until `into` is full or the file ends; answers how many bytes there were.
fn fill(from: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut there = 0;
    while let Some(rest) = into.get_mut(there..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(read) => there += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(there)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut bytes: &[u8]) -> (Vec<Vec<u8>>, Found) {
        let mut bodies = Vec::new();
        loop {
            match read(&mut bytes).unwrap() {
                Found::Body(body) => bodies.push(body),
                end => return (bodies, end),
            }
        }
    }

    #[test]
    fn what_was_written_is_read_and_the_rest_is_told_apart() {
        let mut bytes = Vec::new();
        append(&mut bytes, b"one");
        append(&mut bytes, b"");
        append(&mut bytes, b"three");
        let whole = vec![b"one".to_vec(), Vec::new(), b"three".to_vec()];
        assert_eq!(all(&bytes), (whole.clone(), Found::End));
        for length in 0..bytes.len() {
            let (bodies, end) = all(&bytes[..length]);
            assert_eq!(bodies, whole[..bodies.len()]);
            assert!(matches!(end, Found::End | Found::Torn), "{length}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let (bodies, end) = all(&flipped);
            assert_eq!(end, Found::Damaged, "bit {bit}");
            assert_eq!(bodies, whole[..bodies.len()]);
        }
        bytes.resize(bytes.len() + 10_000, 0);
        assert_eq!(all(&bytes), (whole, Found::Torn), "a blank end");
    }
}
