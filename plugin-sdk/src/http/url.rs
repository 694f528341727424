//! As much of a URL (RFC 3986) as a request needs: scheme, authority, path with query.

use std::fmt;
use std::str::FromStr;

use super::HttpError;

/// An absolute `http` or `https` address, or what stands for a secret that is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    secure: bool,
    authority: String,
    path_and_query: String,
}

impl Url {
    /// Whether the scheme is `https`.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Host and, if given, port.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path, which is at least `/`, and the query if there is one.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        &self.path_and_query
    }

    /// The address that a reference such as a `Location` header means when it is met at this address.
    ///
    /// # Errors
    /// When the result is no `http` or `https` address.
    pub fn join(&self, reference: &str) -> Result<Self, HttpError> {
        let scheme = if self.secure { "https" } else { "http" };
        let reference = reference.split('#').next().unwrap_or_default();
        // A scheme comes first: in a query `://` may stand too.
        let scheme_of = reference.split_once("://").map_or("", |(scheme, _)| scheme);
        if !scheme_of.is_empty() && scheme_of.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return reference.parse();
        }
        if let Some(rest) = reference.strip_prefix("//") {
            return format!("{scheme}://{rest}").parse();
        }
        let path = self.path_and_query.split('?').next().unwrap_or("/");
        let target = if reference.starts_with('/') {
            reference.to_owned()
        } else if reference.is_empty() {
            self.path_and_query.clone()
        } else if reference.starts_with('?') {
            format!("{path}{reference}")
        } else {
            let folder = path.rfind('/').map_or("/", |end| &path[..=end]);
            format!("{folder}{reference}")
        };
        format!("{scheme}://{}{}", self.authority, without_dots(&target)).parse()
    }
}

/// A path, with query, without `.` and `..` (RFC 3986, section 5.2.4).
fn without_dots(target: &str) -> String {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    if !path.contains("/.") {
        return target.to_owned();
    }
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let mut kept: Vec<&str> = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        if *part == ".." {
            kept.pop();
        }
        match *part {
            // At the end, a folder stays one.
            "." | ".." if at + 1 == parts.len() => kept.push(""),
            "." | ".." => {}
            name => kept.push(name),
        }
    }
    format!("/{}{query}", kept.join("/"))
}

impl FromStr for Url {
    type Err = HttpError;

    fn from_str(text: &str) -> Result<Self, HttpError> {
        let invalid = |why: &str| HttpError::Invalid(format!("the address {text:?} cannot be used: {why}"));
        // What stands for a secret may stand for a whole address; the host finds out.
        let text = if text.starts_with(crate::PLACEHOLDER) { format!("https://{text}") } else { text.to_owned() };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| invalid("it must begin with http:// or https://"))?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(invalid("it must begin with http:// or https://")),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.is_empty() || authority.starts_with(':') {
            return Err(invalid("it names no host"));
        }
        if authority.contains('@') {
            return Err(invalid("a user name and password belong into an authorization header"));
        }
        if rest.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(invalid("it contains spaces or control characters, which must be percent-encoded"));
        }
        let path_and_query = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { secure, authority: authority.to_owned(), path_and_query })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.path_and_query)
    }
}

#[cfg(test)]
mod tests {
    use super::Url;

    #[test]
    fn takes_addresses_apart() {
        let cases = [
            ("http://example.com", false, "example.com", "/"),
            ("HTTPS://example.com:8443/a/b?c=d#e", true, "example.com:8443", "/a/b?c=d"),
            ("http://[::1]:80?x", false, "[::1]:80", "/?x"),
        ];
        for (text, secure, authority, path) in cases {
            let url: Url = text.parse().expect("the case is a valid address");
            assert_eq!((url.is_secure(), url.authority(), url.path_and_query()), (secure, authority, path), "{text}");
        }
    }

    #[test]
    fn refuses_what_cannot_be_sent() {
        for text in
            ["", "example.com", "ftp://a/", "http://", "http:///a", "http://u:p@a/", "http://a/b c", "http://:80/"]
        {
            assert!(text.parse::<Url>().is_err(), "{text}");
        }
    }

    #[test]
    fn joins_references() {
        let base: Url = "http://a:1/b/c?d".parse().expect("the base is a valid address");
        let cases = [
            ("https://x/y", "https://x/y"),
            ("//x/y", "http://x/y"),
            ("/y", "http://a:1/y"),
            ("y", "http://a:1/b/y"),
            ("?y", "http://a:1/b/c?y"),
            ("", "http://a:1/b/c?d"),
            ("/login?next=http://b/c", "http://a:1/login?next=http://b/c"),
            ("y?next=http://b/../c", "http://a:1/b/y?next=http://b/../c"),
            ("../y", "http://a:1/y"),
            ("./..//y/./z/..?q", "http://a:1//y/?q"),
            ("../../../.hidden/...", "http://a:1/.hidden/..."),
            (".", "http://a:1/b/"),
        ];
        for (reference, expected) in cases {
            assert_eq!(base.join(reference).expect("the case joins").to_string(), expected, "{reference}");
        }
    }
}
