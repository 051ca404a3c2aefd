//! As much of the protocol of Redis (RESP 2) as the shared counters speak.

/// The most bytes of one answer: those of our commands are a few hundred.
const MOST: usize = 64 * 1024;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A status or a text; `None`: nil.
    Text(Option<Vec<u8>>),
    /// A refusal, in the server's words.
    Error(String),
    /// A whole number.
    Integer(i64),
    /// Several.
    Array(Vec<Value>),
}

/// What was sent is no RESP, or more than may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// A command as it is sent.
pub(super) fn command<T: AsRef<[u8]>>(arguments: &[T]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        let argument = argument.as_ref();
        bytes.extend(format!("${}\r\n", argument.len()).as_bytes());
        bytes.extend(argument);
        bytes.extend(b"\r\n");
    }
    bytes
}

/// The answer at the beginning of `bytes` and its length; `None`: it is not complete yet.
pub(super) fn read(bytes: &[u8]) -> Result<Option<(Value, usize)>, Malformed> {
    let mut reader = Reader { bytes, at: 0 };
    match reader.value(0) {
        Ok(value) => Ok(Some((value, reader.at))),
        Err(Stop::Malformed) => Err(Malformed),
        Err(Stop::Incomplete) if bytes.len() > MOST => Err(Malformed),
        Err(Stop::Incomplete) => Ok(None),
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

enum Stop {
    Incomplete,
    Malformed,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Value, Stop> {
        let line = self.line()?;
        let (kind, rest) = line.split_first().ok_or(Stop::Malformed)?;
        let number = || std::str::from_utf8(rest).ok()?.parse::<i64>().ok();
        match kind {
            b'+' => Ok(Value::Text(Some(rest.to_vec()))),
            b'-' => Ok(Value::Error(String::from_utf8_lossy(rest).into_owned())),
            b':' => number().map(Value::Integer).ok_or(Stop::Malformed),
            b'$' => match number() {
                Some(-1) => Ok(Value::Text(None)),
                Some(length) => {
                    let length = usize::try_from(length).ok().filter(|length| *length <= MOST);
                    let text = self.take(length.ok_or(Stop::Malformed)?)?;
                    if self.take(2)? != b"\r\n" {
                        return Err(Stop::Malformed);
                    }
                    Ok(Value::Text(Some(text.to_vec())))
                }
                None => Err(Stop::Malformed),
            },
            b'*' => {
                let length = number().filter(|length| (0..=1_000).contains(length) && depth < 4);
                let length = length.ok_or(Stop::Malformed)?;
                (0..length).map(|_| self.value(depth + 1)).collect::<Result<_, _>>().map(Value::Array)
            }
            _ => Err(Stop::Malformed),
        }
    }

    /// Up to the end of the line, which is left out.
    fn line(&mut self) -> Result<&'a [u8], Stop> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.windows(2).position(|pair| pair == b"\r\n").ok_or(Stop::Incomplete)?;
        let line = self.take(length)?;
        self.take(2)?;
        Ok(line)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Stop> {
        let taken = self.bytes.get(self.at..self.at + length).ok_or(Stop::Incomplete)?;
        self.at += length;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::{Malformed, Value, command, read};

    #[test]
    fn a_command_carries_its_arguments_with_their_lengths() {
        assert_eq!(command(&["GET", "ä"]), "*2\r\n$3\r\nGET\r\n$2\r\nä\r\n".as_bytes());
    }

    #[test]
    fn answers_are_read_whole_wherever_they_are_cut() {
        let bytes = b"*4\r\n:1\r\n:-22\r\n$2\r\nok\r\n$-1\r\n-ERR no\r\n";
        let array = Value::Array(vec![
            Value::Integer(1),
            Value::Integer(-22),
            Value::Text(Some(b"ok".to_vec())),
            Value::Text(None),
        ]);
        let length = bytes.len() - "-ERR no\r\n".len();
        for cut in 0..length {
            assert_eq!(read(&bytes[..cut]), Ok(None), "{cut}");
        }
        assert_eq!(read(bytes), Ok(Some((array, length))));
        assert_eq!(read(&bytes[length..]), Ok(Some((Value::Error("ERR no".into()), 9))));
        assert_eq!(read(b"+PONG\r\n"), Ok(Some((Value::Text(Some(b"PONG".to_vec())), 7))));
    }

    #[test]
    fn what_is_no_answer_is_said_to_be_malformed() {
        for bytes in ["HTTP/1.1 200 OK\r\n", ":x\r\n", "$99999999\r\n", "*9999999\r\n", "\r\n", "$1\r\nabc"] {
            assert_eq!(read(bytes.as_bytes()), Err(Malformed), "{bytes:?}");
        }
        let nested = "*1\r\n".repeat(9);
        assert_eq!(read(nested.as_bytes()), Err(Malformed));
        assert_eq!(read(&[b'+'; 70_000]), Err(Malformed), "a line without end");
    }
}
