//! Who may ask for what.
//!
//! - The `Host` must be this machine's name, an address, or a name that was allowed: a page of another site whose name was
//!   made to point here (DNS rebinding) is refused.
//! - An `Origin`, where there is one, must be the same as the host.
//! - Where there is a token, it must come as a cookie, or once in the address (`?token=…`), which sets the cookie.
//! - Whatever changes something must name the token of this server's pages in a header, which another site cannot do.
//! - Answers say that nothing but the server's own files may run.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use super::App;

/// The header that proves that a change was asked for by a page of this server.
pub(super) const PROOF: &str = "x-lehr-proof";

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The rules of a server.
pub(super) struct Guard {
    token: Option<String>,
    names: Vec<String>,
    proof: String,
}

impl Guard {
    pub fn new(token: Option<String>, names: Vec<String>) -> Self {
        Self { token, names, proof: secret() }
    }

    /// What pages of this server send with changes.
    pub fn proof(&self) -> &str {
        &self.proof
    }

    /// Whether a request proves that it comes from such a page.
    pub fn is_proven(&self, headers: &HeaderMap) -> bool {
        headers.get(PROOF).is_some_and(|given| same(given.as_bytes(), self.proof.as_bytes()))
    }

    /// Whether the server may be called so.
    fn knows(&self, host: &str) -> bool {
        let name = host_name(host);
        let address = name.trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost")
            || address.parse::<IpAddr>().is_ok()
            || self.names.iter().any(|known| known.eq_ignore_ascii_case(name))
    }

    /// What a request is refused for.
    fn refusal(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<(StatusCode, &'static str)> {
        let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or(""));
        let host = text(header::HOST).unwrap_or("");
        if !self.knows(host) {
            return Some((
                StatusCode::FORBIDDEN,
                "this server is not called so: use its address, or allow the name with --name",
            ));
        }
        let origin = text(header::ORIGIN);
        let same_site =
            origin.is_none_or(|origin| origin.split_once("://").is_some_and(|(_, rest)| rest == host));
        let fetched_by = text(HeaderName::from_static("sec-fetch-site"));
        let foreign = matches!(fetched_by, Some("cross-site" | "same-site"))
            && uri.path() != "/"
            && !uri.path().starts_with("/study/")
            && !uri.path().starts_with("/file/");
        if !same_site || foreign {
            return Some((StatusCode::FORBIDDEN, "another site asked for this"));
        }
        if *method != Method::GET && *method != Method::HEAD && !self.is_proven(headers) {
            return Some((
                StatusCode::FORBIDDEN,
                "a change needs the proof that only a page of this server has",
            ));
        }
        None
    }

    /// Whether the cookie holds the token.
    fn is_known(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut given =
            cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().strip_prefix("lehr="));
        given.any(|given| same(given.as_bytes(), token.as_bytes()))
    }

    /// Whether the address holds the token.
    fn is_introduced(&self, uri: &Uri) -> bool {
        let Some(token) = &self.token else { return false };
        let given = uri
            .query()
            .into_iter()
            .flat_map(|query| query.split('&'))
            .find_map(|pair| pair.strip_prefix("token="));
        given.is_some_and(|given| same(given.as_bytes(), token.as_bytes()))
    }
}

/// The name in `name:port`.
fn host_name(host: &str) -> &str {
    match host.rfind(':') {
        Some(colon) if !host[colon..].contains(']') => &host[..colon],
        _ => host,
    }
}

/// In the same time wherever they differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// 32 random bytes as text.
pub fn secret() -> String {
    use base64::Engine as _;
    let bytes: [u8; 32] = rand::random();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// Lets a request through, or refuses it.
pub(super) async fn check(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let guard = &app.guard;
    let refused = guard.refusal(request.method(), request.uri(), request.headers());
    let response = match refused {
        Some(refused) => refused.into_response(),
        None if guard.is_known(request.headers()) => next.run(request).await,
        None if guard.is_introduced(request.uri()) => introduce(guard, request.uri()),
        None => {
            (StatusCode::UNAUTHORIZED, "open the address that `lehr serve` printed: it holds the token\n")
                .into_response()
        }
    };
    sealed(response)
}

/// Sets the cookie and leads to the same page without the token in its address.
fn introduce(guard: &Guard, uri: &Uri) -> Response {
    let token = guard.token.as_deref().unwrap_or_default();
    let cookie = format!("lehr={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000");
    // Never another server's: `//other` would be one.
    let path = format!("/{}", uri.path().trim_start_matches('/'));
    (StatusCode::SEE_OTHER, [(header::SET_COOKIE, cookie), (header::LOCATION, path)]).into_response()
}

/// What every answer says to the browser.
fn sealed(mut response: Response) -> Response {
    let rules = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in rules {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn refused(guard: &Guard, method: Method, pairs: &[(&str, &str)]) -> bool {
        guard.refusal(&method, &Uri::from_static("/api/studies"), &headers(pairs)).is_some()
    }

    #[test]
    fn only_own_names_are_answered() {
        let guard = Guard::new(None, vec!["box.lan".into()]);
        for host in ["localhost:8000", "127.0.0.1", "[::1]:8000", "10.0.0.7:1", "BOX.lan:8000", "LocalHost"] {
            assert!(!refused(&guard, Method::GET, &[("host", host)]), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:8000", "", "127.0.0.1.evil.example", "[evil]:8"]
        {
            assert!(refused(&guard, Method::GET, &[("host", host)]), "{host}");
        }
    }

    #[test]
    fn other_sites_are_refused() {
        let guard = Guard::new(None, vec![]);
        let host = ("host", "localhost:8000");
        assert!(!refused(&guard, Method::GET, &[host, ("origin", "http://localhost:8000")]));
        assert!(refused(&guard, Method::GET, &[host, ("origin", "http://localhost:9000")]));
        assert!(refused(&guard, Method::GET, &[host, ("origin", "null")]));
        assert!(refused(&guard, Method::GET, &[host, ("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn changes_need_the_proof() {
        let guard = Guard::new(None, vec![]);
        let host = ("host", "localhost:8000");
        assert!(refused(&guard, Method::POST, &[host]));
        assert!(refused(&guard, Method::POST, &[host, (PROOF, "guess")]));
        let proof = guard.proof().to_owned();
        assert!(!refused(&guard, Method::POST, &[host, (PROOF, &proof)]));
        assert_ne!(secret(), secret());
    }

    #[test]
    fn strangers_need_the_token() {
        let guard = Guard::new(Some("open sesame".replace(' ', "-")), vec![]);
        assert!(!guard.is_known(&headers(&[])));
        assert!(!guard.is_known(&headers(&[("cookie", "lehr=")])));
        assert!(!guard.is_known(&headers(&[("cookie", "lehr=open-sesam")])));
        assert!(guard.is_known(&headers(&[("cookie", "a=b; lehr=open-sesame")])));
        assert!(guard.is_introduced(&Uri::from_static("/?a=b&token=open-sesame")));
        assert!(!guard.is_introduced(&Uri::from_static("/?token=")));
        let answer = introduce(&guard, &Uri::from_static("//evil.example/?token=open-sesame"));
        assert_eq!(answer.headers()[header::LOCATION], "/evil.example/");
    }
}
