//! Renders every template with every sample, and compares the lists with reality.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use forecourt_web::{api_references, links, messages::Messages, page::Site, samples, templates::Templates};

fn rendered() -> Vec<(String, String)> {
    let templates = Templates::new(None).unwrap();
    let pages = samples::all().into_iter().map(|sample| {
        let name = format!("{:?}/{}/{}", sample.site, sample.page_name(), sample.name).to_lowercase();
        let html = templates.render_named(sample.template, &sample.page, sample.context);
        // The engine escapes slashes as well; undone, so that the tests read as a browser does.
        (name, html.unwrap_or_else(|error| panic!("{error}")).replace("&#x2f;", "/"))
    });
    pages.collect()
}

/// The opening tags of `html`, without comments.
fn tags(html: &str) -> Vec<&str> {
    html.split('<').skip(1).filter_map(|rest| rest.split('>').next()).collect()
}

fn attributes(tag: &str) -> Vec<&str> {
    tag.split('"').step_by(2).flat_map(str::split_whitespace).collect()
}

#[test]
fn every_page_has_a_title_one_heading_and_a_main_landmark() {
    for (name, html) in rendered() {
        let tags = tags(&html);
        let count =
            |wanted: &str| tags.iter().filter(|tag| tag.split_whitespace().next() == Some(wanted)).count();
        assert_eq!((count("title"), count("h1"), count("main")), (1, 1, 1), "{name}");
        let title = html.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next()).unwrap();
        assert!(title.trim().starts_with(|c: char| c.is_alphanumeric()), "{name}: the title is {title:?}");
    }
}

#[test]
fn headings_never_skip_a_level() {
    for (name, html) in rendered() {
        let main = html.split("<main").nth(1).unwrap();
        let mut before = 0;
        for tag in tags(main) {
            let level = match tag.as_bytes() {
                [b'h', digit @ b'1'..=b'6', rest @ ..] if rest.is_empty() || rest[0] == b' ' => digit - b'0',
                _ => continue,
            };
            assert!(level <= before + 1, "{name}: h{level} follows h{before}");
            before = level;
        }
    }
}

#[test]
fn no_page_has_anything_inline_that_its_security_policy_refuses() {
    for (name, html) in rendered() {
        for tag in tags(&html) {
            let element = tag.split_whitespace().next().unwrap_or_default();
            for attribute in attributes(tag).into_iter().skip(1) {
                let attribute = attribute.trim_end_matches('=');
                let refused =
                    attribute == "style" || attribute.starts_with("on") || attribute.starts_with("hx-on");
                assert!(!refused, "{name}: <{tag}>");
            }
            if element == "script" {
                assert!(tag.contains(r#"src="/assets/"#), "{name}: <{tag}>");
            }
            if element == "style" {
                assert!(tag.contains(r#"nonce="sample-nonce""#), "{name}: <{tag}>");
            }
        }
    }
}

#[test]
fn every_form_that_writes_carries_the_csrf_token() {
    for (name, html) in rendered() {
        for form in html.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap();
            if form.contains(r#"method="post""#) {
                assert!(form.contains(r#"name="csrf" value="sample-csrf-token""#), "{name}: {form}");
            }
        }
    }
}

#[test]
fn what_people_type_is_escaped() {
    for (name, html) in rendered() {
        assert!(!html.contains("<script>alert"), "{name}");
    }
    assert!(rendered().iter().any(|(_, html)| html.contains("&lt;script&gt;alert")));
}

#[test]
fn ids_are_unique_and_every_label_and_description_names_one() {
    for (name, html) in rendered() {
        let values = |attribute: &str| -> Vec<&str> {
            let marker = format!(" {attribute}=\"");
            html.split(&marker).skip(1).filter_map(|rest| rest.split('"').next()).collect()
        };
        let ids = values("id");
        let unique: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), unique.len(), "{name} has an id twice: {ids:?}");
        for attribute in ["for", "aria-describedby", "aria-labelledby"] {
            for id in values(attribute).iter().flat_map(|ids| ids.split_whitespace()) {
                assert!(unique.contains(id), "{name}: {attribute} names {id}, which is not there");
            }
        }
    }
}

#[test]
fn links_lead_to_paths_that_exist() {
    let known = |path: &str, patterns: &[&str]| {
        patterns.iter().any(|pattern| {
            let (pattern, path): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
            pattern.len() == path.len()
                && pattern.iter().zip(&path).all(|(p, segment)| p.starts_with('{') || p == segment)
        })
    };
    for (name, html) in rendered() {
        let patterns = match name.starts_with("developer") {
            true => links::developer::ALL.to_vec(),
            false => [links::provider::ALL, links::admin_api::ALL].concat(),
        };
        for marker in [" href=\"", " action=\"", " hx-get=\"", " hx-post=\""] {
            for target in html.split(marker).skip(1).filter_map(|rest| rest.split('"').next()) {
                let path = target.split(['?', '#']).next().unwrap();
                let elsewhere = path.is_empty()
                    || path.starts_with("/assets/")
                    || path.starts_with("data:")
                    || path == api_references::DOCUMENT_PATH;
                assert!(elsewhere || known(path, &patterns), "{name}: {target}");
            }
        }
    }
}

#[test]
fn every_template_is_rendered_by_a_sample() {
    let pages: BTreeSet<String> =
        samples::all().into_iter().map(|sample| sample.template.to_owned()).collect();
    let mut reached = pages.clone();
    let sources: BTreeMap<String, String> = Templates::names()
        .into_iter()
        .map(|name| (name.clone(), Templates::embedded_source(&name).unwrap()))
        .collect();
    loop {
        let named: BTreeSet<String> = sources
            .keys()
            .filter(|name| reached.iter().any(|by| sources[by.as_str()].contains(&format!("\"{name}\""))))
            .cloned()
            .chain(["layouts/developer.html".to_owned(), "layouts/provider.html".to_owned()])
            .chain(reached.clone())
            .collect();
        if named.len() == reached.len() {
            break;
        }
        reached = named;
    }
    let all: BTreeSet<String> = sources.keys().cloned().collect();
    assert_eq!(
        all, reached,
        "a template is neither a sample's nor used by one, or a sample lacks its template"
    );
}

/// The keys that handlers say: `say("flash.saved", …)`.
fn keys_of_handlers() -> BTreeSet<String> {
    let mut folders = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    let mut keys = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = std::fs::read_to_string(path).unwrap();
            let said = source.split("say(").skip(1).filter_map(|call| call.trim_start().strip_prefix('"'));
            keys.extend(said.filter_map(|rest| rest.split('"').next()).map(str::to_owned));
        }
    }
    keys
}

#[test]
fn templates_and_catalogue_name_the_same_texts() {
    let messages = Messages::english().unwrap();
    let catalogue: BTreeSet<&str> = messages.keys().collect();
    let (mut exact, mut prefixes) = (BTreeSet::new(), BTreeSet::new());
    for name in Templates::names() {
        let source = Templates::embedded_source(&name).unwrap();
        for (before, call) in source.split("t('").zip(source.split("t('").skip(1)) {
            if before.ends_with(char::is_alphabetic) {
                continue; // another function whose name ends in t, such as asset
            }
            let (key, rest) = call.split_once('\'').unwrap();
            if rest.trim_start().starts_with('~') {
                prefixes.insert(key.to_owned());
            } else if !rest.is_empty() {
                exact.insert(key.to_owned());
            }
        }
        // `{% set key = 'confirm.' ~ act %}`
        for key in source.split("set key = '").skip(1).filter_map(|rest| rest.split('\'').next()) {
            prefixes.insert(key.to_owned());
        }
    }
    exact.extend(keys_of_handlers());
    let keys = exact.iter().filter(|key| key.contains('.') && !key.contains(['/', ' ']));
    let missing: Vec<_> = keys.filter(|key| !catalogue.contains(key.as_str())).collect();
    assert!(missing.is_empty(), "the catalogue lacks {missing:?}");
    let unused: Vec<_> = catalogue
        .iter()
        .filter(|key| {
            !exact.contains(**key) && !prefixes.iter().any(|prefix| key.starts_with(prefix.as_str()))
        })
        .collect();
    assert!(unused.is_empty(), "no template uses {unused:?}");
}

#[test]
fn no_page_shows_a_key_instead_of_a_text() {
    let messages = Messages::english().unwrap();
    for (name, html) in rendered() {
        for key in messages.keys() {
            assert!(!html.contains(&format!(">{key}<")), "{name} shows {key}");
        }
    }
}

#[test]
fn samples_have_names_of_their_own() {
    let names: Vec<String> = rendered().into_iter().map(|(name, _)| name).collect();
    let unique: BTreeSet<&String> = names.iter().collect();
    assert_eq!(names.len(), unique.len());
    assert!(samples::all().iter().any(|sample| sample.site == Site::Provider));
}

#[test]
fn the_main_part_of_a_few_pages_stays_as_it_is() {
    let pages: BTreeMap<String, String> = rendered().into_iter().collect();
    for name in [
        "developer/credentials/secret/basic",
        "developer/confirm/delete_application",
        "provider/sign_in/failed",
    ] {
        let main = pages[name].split("<main").nth(1).and_then(|rest| rest.split("</main>").next()).unwrap();
        // Hashed file names change with the assets, not with the page.
        let main =
            main.split("/assets/icons-").map(|part| part.split_once('#').map_or(part, |(_, rest)| rest));
        insta::assert_snapshot!(name.replace('/', "_"), main.collect::<Vec<_>>().join("icons#"));
    }
}
