//! Times in the layouts of Go: a layout shows how Monday, 2 January 2006, 15:04:05 would be written (`pkg.go.dev/time`,
//! "Constants"). All times are UTC.

use jiff::{Zoned, tz::TimeZone};

use crate::time::Timestamp;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A part of a layout, and how it is written for a time.
type Part = (&'static str, fn(&Zoned) -> String);

/// What a layout can ask for, longer ones before those that they begin with.
const PARTS: [Part; 34] = [
    ("January", |time| month(time).to_owned()),
    ("Monday", |time| day(time).to_owned()),
    ("MST", |_| "UTC".to_owned()),
    ("Mon", |time| day(time).chars().take(3).collect()),
    ("Jan", |time| month(time).chars().take(3).collect()),
    ("002", |time| format!("{:03}", time.day_of_year())),
    ("01", |time| format!("{:02}", time.month())),
    ("02", |time| format!("{:02}", time.day())),
    ("03", |time| format!("{:02}", half_day(time))),
    ("04", |time| format!("{:02}", time.minute())),
    ("05", |time| format!("{:02}", time.second())),
    ("06", |time| format!("{:02}", time.year().rem_euclid(100))),
    ("15", |time| format!("{:02}", time.hour())),
    ("1", |time| time.month().to_string()),
    ("2006", |time| format!("{:04}", time.year())),
    ("2", |time| time.day().to_string()),
    ("__2", |time| format!("{:>3}", time.day_of_year())),
    ("_2006", |time| format!("_{:04}", time.year())),
    ("_2", |time| format!("{:>2}", time.day())),
    ("3", |time| half_day(time).to_string()),
    ("4", |time| time.minute().to_string()),
    ("5", |time| time.second().to_string()),
    ("PM", |time| if time.hour() < 12 { "AM" } else { "PM" }.to_owned()),
    ("pm", |time| if time.hour() < 12 { "am" } else { "pm" }.to_owned()),
    ("-07:00:00", |_| "+00:00:00".to_owned()),
    ("-070000", |_| "+000000".to_owned()),
    ("-07:00", |_| "+00:00".to_owned()),
    ("-0700", |_| "+0000".to_owned()),
    ("-07", |_| "+00".to_owned()),
    ("Z07:00:00", |_| "Z".to_owned()),
    ("Z07:00", |_| "Z".to_owned()),
    ("Z070000", |_| "Z".to_owned()),
    ("Z0700", |_| "Z".to_owned()),
    ("Z07", |_| "Z".to_owned()),
];

/// `time` as `layout` shows it; what asks for nothing stands as it is.
pub(super) fn format(layout: &str, time: Timestamp) -> String {
    let time = jiff::Timestamp::from_microsecond(time.micros()).unwrap_or(jiff::Timestamp::MAX);
    let time = time.to_zoned(TimeZone::UTC);
    let mut text = String::with_capacity(layout.len());
    let mut rest = layout;
    while let Some(first) = rest.chars().next() {
        let found = fraction(rest, &time).or_else(|| {
            let (part, write) = PARTS.iter().find(|(part, _)| is_part(rest, part))?;
            Some((part.len(), write(&time)))
        });
        let (length, written) = found.unwrap_or_else(|| (first.len_utf8(), first.to_string()));
        text.push_str(&written);
        rest = rest.get(length..).unwrap_or_default();
    }
    text
}

/// Whether `part` comes next. `Jan` does not begin a longer word, such as `Janitor`.
fn is_part(rest: &str, part: &str) -> bool {
    let Some(after) = rest.strip_prefix(part) else { return false };
    !matches!(part, "Jan" | "Mon") || !after.starts_with(|c: char| c.is_ascii_lowercase())
}

/// A point or comma and zeros or nines, after which no digit comes: as many digits of the second, and with nines none
/// of the last zeros.
fn fraction(rest: &str, time: &Zoned) -> Option<(usize, String)> {
    let point = rest.chars().next().filter(|c| matches!(c, '.' | ','))?;
    let digits = rest.get(1..)?;
    let digit = digits.chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let count = digits.chars().take_while(|c| *c == digit).count();
    if digits.get(count..)?.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let nanoseconds = format!("{:09}", time.subsec_nanosecond());
    let shown: String = nanoseconds.chars().chain(std::iter::repeat('0')).take(count).collect();
    let shown = if digit == '9' { shown.trim_end_matches('0') } else { &shown };
    Some((count + 1, if shown.is_empty() { String::new() } else { format!("{point}{shown}") }))
}

fn half_day(time: &Zoned) -> i8 {
    match time.hour() % 12 {
        0 => 12,
        hour => hour,
    }
}

fn month(time: &Zoned) -> &'static str {
    named(&MONTHS, time.month() - 1)
}

fn day(time: &Zoned) -> &'static str {
    named(&DAYS, time.weekday().to_sunday_zero_offset())
}

fn named(names: &[&'static str], index: i8) -> &'static str {
    usize::try_from(index).ok().and_then(|index| names.get(index)).copied().unwrap_or_default()
}
