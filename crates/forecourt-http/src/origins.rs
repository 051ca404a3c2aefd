//! What browsers say of where a request comes from.

use http::{HeaderMap, HeaderValue, header};

/// Whether a browser says that another site made this request.
pub fn is_cross_site(headers: &HeaderMap) -> bool {
    if headers.get("sec-fetch-site").is_some_and(|value| value == "cross-site") {
        return true;
    }
    headers.get(header::ORIGIN).is_some_and(|origin| is_of_another_host(origin, headers))
}

/// Whether a browser says that a page of another site, or of another origin of the same one, led here. One that speaks of
/// no sites, as on plain HTTP beyond loopback, may tell by which page; whoever tells nothing is no browser, or was typed.
pub fn is_link_of_another_site(headers: &HeaderMap) -> bool {
    is_form_of_another_site(headers)
        || (!headers.contains_key("sec-fetch-site")
            && headers.get(header::REFERER).is_some_and(|page| is_of_another_host(page, headers)))
}

/// Whether a URL, or an origin, has another host and port than the request was sent to.
fn is_of_another_host(url: &HeaderValue, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (_, rest) = url.to_str().ok().and_then(|url| url.split_once("://")).unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    !authority.eq_ignore_ascii_case(host)
}

/// Whether a browser says that a page of another site sent this form. What it says of sites goes before the origin, which
/// is another one than the host behind a proxy that renames that, and `null` after a page that tells nobody its address:
/// then the form's token alone decides.
pub fn is_form_of_another_site(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site != "same-origin" && site != "none";
    }
    headers.get(header::ORIGIN).is_some_and(|origin| origin != "null") && is_cross_site(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_origin_is_cross_site_and_ones_own_is_not() {
        let with = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            is_cross_site(&headers)
        };
        assert!(!with(&[("host", "a:1")]));
        assert!(!with(&[("host", "a:1"), ("origin", "http://a:1")]));
        assert!(with(&[("host", "a:1"), ("origin", "http://evil")]));
        assert!(with(&[("host", "a:1"), ("origin", "null")]));
        assert!(with(&[("host", "a:1"), ("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn a_form_of_another_site_is_known_by_what_the_browser_says() {
        for (site, origin, is_foreign) in [
            ("", "", false),
            ("", "http://a:1", false),
            ("", "null", false),
            ("", "http://evil", true),
            ("", "http://a:2", true),
            ("same-origin", "null", false),
            ("same-origin", "https://renamed", false),
            ("none", "", false),
            ("same-site", "http://a:1", true),
            ("cross-site", "http://a:1", true),
            ("made-up", "", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("a:1"));
            for (name, value) in [("sec-fetch-site", site), ("origin", origin)] {
                if !value.is_empty() {
                    headers.insert(name, HeaderValue::from_static(value));
                }
            }
            assert_eq!(is_form_of_another_site(&headers), is_foreign, "{site:?} {origin:?}");
        }
    }

    #[test]
    fn a_link_of_another_site_is_known_by_its_page_where_the_browser_speaks_of_no_sites() {
        for (site, page, is_foreign) in [
            ("", "", false),
            ("", "http://a:1/gateway/groups/g", false),
            ("", "http://a:1", false),
            ("", "http://a:2/", true),
            ("", "https://evil.example/a:1", true),
            ("", "http://evil.example/?http://a:1/", true),
            ("", "about:blank", true),
            ("same-origin", "", false),
            ("none", "", false),
            ("same-site", "http://a:1/", true),
            ("cross-site", "", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("a:1"));
            for (name, value) in [("sec-fetch-site", site), ("referer", page)] {
                if !value.is_empty() {
                    headers.insert(name, HeaderValue::from_static(value));
                }
            }
            assert_eq!(is_link_of_another_site(&headers), is_foreign, "{site:?} {page:?}");
        }
    }
}
