//! The UI's files, as they were built into this program; a build without them says so instead.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;

/// Every file of `ui/dist` by its path; none where the UI had not been built.
const PAGES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// Whether this program has a UI to serve.
pub(super) const fn are_here() -> bool {
    !PAGES.is_empty()
}

/// The file at this path of a URL.
pub(super) fn page(path: &str) -> Response<Body> {
    let asked = if path == "/" { "/index.html" } else { path };
    match PAGES.iter().find(|(path, _)| *path == asked) {
        Some((path, content)) => {
            let headers = [
                (header::CONTENT_TYPE, HeaderValue::from_static(kind(path))),
                (
                    header::CACHE_CONTROL,
                    HeaderValue::from_static(keeping(path)),
                ),
            ];
            (headers, *content).into_response()
        }
        None if path == "/" && !are_here() => {
            let plain = HeaderValue::from_static("text/plain; charset=utf-8");
            ([(header::CONTENT_TYPE, plain)], WITHOUT).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// What a person reads where the UI is missing.
const WITHOUT: &str = "This build of Towline holds no pages for browsers: the UI had not been built when it was compiled.\n\
    Build it (`npm --prefix ui ci && npm --prefix ui run build`), then build `towline` again, or install a release.\n\
    The commands of `towline` and the API below /api work all the same.\n";

/// The media type of a file, by the end of its name. Browsers are told not to guess.
fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, end)| end) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("json") => "application/json",
        Some(_) | None => "application/octet-stream",
    }
}

/// How long a browser may keep a file: those below `assets` have a hash of their content in the name.
fn keeping(path: &str) -> &'static str {
    if path.starts_with("/assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_page_is_there_or_says_that_it_is_not() {
        let response = page("/");
        assert_eq!(response.status(), StatusCode::OK);
        let kind = &response.headers()[header::CONTENT_TYPE];
        let expected = if are_here() {
            "text/html"
        } else {
            "text/plain"
        };
        assert!(kind.to_str().unwrap().starts_with(expected));
        assert_eq!(page("/../Cargo.toml").status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn every_file_that_is_built_in_has_a_known_type() {
        for (path, _) in PAGES {
            assert_ne!(kind(path), "application/octet-stream", "{path}");
        }
    }
}
