//! Times in the layouts of Go: a layout shows how Monday, 2 January 2006, 15:04:05 would be written (`pkg.go.dev/time`,
//! "Constants"). All times are UTC.

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
type Part = (&'static str, fn(&Civil) -> String);

/// What a layout can ask for, longer ones before those that they begin with.
const PARTS: [Part; 34] = [
    ("January", |time| month(time).to_owned()),
    ("Monday", |time| day(time).to_owned()),
    ("MST", |_| "UTC".to_owned()),
    ("Mon", |time| day(time).chars().take(3).collect()),
    ("Jan", |time| month(time).chars().take(3).collect()),
    ("002", |time| format!("{:03}", time.day_of_year)),
    ("01", |time| format!("{:02}", time.month)),
    ("02", |time| format!("{:02}", time.day)),
    ("03", |time| format!("{:02}", half_day(time))),
    ("04", |time| format!("{:02}", time.minute)),
    ("05", |time| format!("{:02}", time.second)),
    ("06", |time| format!("{:02}", time.year.rem_euclid(100))),
    ("15", |time| format!("{:02}", time.hour)),
    ("1", |time| time.month.to_string()),
    ("2006", |time| format!("{:04}", time.year)),
    ("2", |time| time.day.to_string()),
    ("__2", |time| format!("{:>3}", time.day_of_year)),
    ("_2006", |time| format!("_{:04}", time.year)),
    ("_2", |time| format!("{:>2}", time.day)),
    ("3", |time| half_day(time).to_string()),
    ("4", |time| time.minute.to_string()),
    ("5", |time| time.second.to_string()),
    ("PM", |time| if time.hour < 12 { "AM" } else { "PM" }.to_owned()),
    ("pm", |time| if time.hour < 12 { "am" } else { "pm" }.to_owned()),
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

/// A moment as UTC's calendar and clock tell it.
struct Civil {
    year: i64,
    /// 1 to 12.
    month: i64,
    /// 1 to 31.
    day: i64,
    /// 1 to 366.
    day_of_year: i64,
    /// 0 is Sunday.
    weekday: i64,
    hour: i64,
    minute: i64,
    second: i64,
    nanosecond: i64,
}

impl Civil {
    /// The proleptic Gregorian calendar, counted from 1 March so that a leap day ends its year.
    fn of(time: Timestamp) -> Self {
        let (seconds, micros) = (time.micros().div_euclid(1_000_000), time.micros().rem_euclid(1_000_000));
        let (days, clock) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        // 400 years are 146,097 days; the first such era that is counted here begins on 1 March of the year 0.
        let since = days + 719_468;
        let (era, of_era) = (since.div_euclid(146_097), since.rem_euclid(146_097));
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // March to July and August to December have 153 days each; so a month begins every 30.6 days.
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let day_of_year = if month <= 2 { of_year - 305 } else { of_year + 60 + i64::from(is_leap) };
        Self {
            year,
            month,
            day: of_year - (153 * from_march + 2) / 5 + 1,
            day_of_year,
            weekday: (days + 4).rem_euclid(7),
            hour: clock / 3_600,
            minute: clock / 60 % 60,
            second: clock % 60,
            nanosecond: micros * 1_000,
        }
    }
}

/// `time` as `layout` shows it; what asks for nothing stands as it is.
pub(super) fn format(layout: &str, time: Timestamp) -> String {
    let time = Civil::of(time);
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
fn fraction(rest: &str, time: &Civil) -> Option<(usize, String)> {
    let point = rest.chars().next().filter(|c| matches!(c, '.' | ','))?;
    let digits = rest.get(1..)?;
    let digit = digits.chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let count = digits.chars().take_while(|c| *c == digit).count();
    if digits.get(count..)?.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let nanoseconds = format!("{:09}", time.nanosecond);
    let shown: String = nanoseconds.chars().chain(std::iter::repeat('0')).take(count).collect();
    let shown = if digit == '9' { shown.trim_end_matches('0') } else { &shown };
    Some((count + 1, if shown.is_empty() { String::new() } else { format!("{point}{shown}") }))
}

fn half_day(time: &Civil) -> i64 {
    match time.hour % 12 {
        0 => 12,
        hour => hour,
    }
}

fn month(time: &Civil) -> &'static str {
    named(&MONTHS, time.month - 1)
}

fn day(time: &Civil) -> &'static str {
    named(&DAYS, time.weekday)
}

fn named(names: &[&'static str], index: i64) -> &'static str {
    usize::try_from(index).ok().and_then(|index| names.get(index)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_knows_leap_years_centuries_and_times_before_1970() {
        for (seconds, told) in [
            (0, "1970-01-01 00:00:00 Thursday 001"),
            (951_782_399, "2000-02-28 23:59:59 Monday 059"),
            (951_782_400, "2000-02-29 00:00:00 Tuesday 060"),
            (951_868_800, "2000-03-01 00:00:00 Wednesday 061"),
            (978_220_800, "2000-12-31 00:00:00 Sunday 366"),
            (1_786_093_259, "2026-08-07 09:00:59 Friday 219"),
            (4_107_542_400, "2100-03-01 00:00:00 Monday 060"),
            (-1, "1969-12-31 23:59:59 Wednesday 365"),
            (-2_203_891_200, "1900-03-01 00:00:00 Thursday 060"),
        ] {
            let time = Timestamp::from_seconds(seconds);
            assert_eq!(format("2006-01-02 15:04:05 Monday 002", time), told, "{seconds}");
        }
    }
}
