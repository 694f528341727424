//! Masking of values in what a run prints and returns. It is a net, not a wall: a program that means to show a secret finds
//! a form of it that is not looked for.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use sandglass_core::secret::SHORTEST_MASKED;

use super::SMALL;
use crate::capability::http::{IN_PATH, IN_QUERY};

/// What stands in the place of a value.
const MASK: &[u8] = b"***";

/// What stands at the end of a text that was cut short.
const CUT: &[u8] = "…".as_bytes();
/// What `quote_plus` of Python and most libraries leave as it is (RFC 3986, 2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What `quote` of Python does.
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');
/// What `encodeURIComponent` of JavaScript does.
const COMPONENT: &AsciiSet = &UNRESERVED.remove(b'!').remove(b'*').remove(b'\'').remove(b'(').remove(b')');
/// What forms do (URL Standard, 1.3).
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');
/// The longest value that is looked for within a text in base64 wherever it stands, in bytes.
const PASSWORD: usize = 1 << 10;
/// The shortest path of an address that is taken for a secret, in bytes.
const SECRET_PATH: usize = 12;

/// The forms of all values.
pub(super) struct Masks {
    finder: Option<AhoCorasick>,
    /// Finds what is left of a form that was cut off, as far as it is looked for.
    beginnings: Option<AhoCorasick>,
    forms: Vec<Form>,
}

/// One text to be masked.
struct Form {
    bytes: Vec<u8>,
    /// For each length of a beginning of it, the length of the longest shorter beginning that ends it (Knuth, Morris, Pratt).
    falls_back: Vec<usize>,
}

impl Masks {
    /// Of these values.
    pub(super) fn of<'a>(values: impl Iterator<Item = &'a Vec<u8>>) -> Result<Self, String> {
        let forms: BTreeSet<Vec<u8>> = values.flat_map(|value| forms(value)).collect();
        let finder = (!forms.is_empty())
            .then(|| AhoCorasick::builder().kind(Some(SMALL)).match_kind(MatchKind::LeftmostLongest).build(&forms))
            .transpose();
        let beginnings = (!forms.is_empty())
            .then(|| AhoCorasick::builder().kind(Some(SMALL)).build(forms.iter().map(|form| &form[..SHORTEST_MASKED])))
            .transpose();
        let failed = |error| format!("the secrets cannot be masked: {error}");
        let (finder, beginnings) = (finder.map_err(failed)?, beginnings.map_err(failed)?);
        Ok(Self { finder, beginnings, forms: forms.into_iter().map(Form::new).collect() })
    }

    /// `bytes` with every form masked; none if there is none in it.
    pub(super) fn apply(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let finder = self.finder.as_ref()?;
        let (mut masked, mut end) = (Vec::new(), 0);
        for found in finder.find_iter(bytes) {
            masked.extend_from_slice(&bytes[end..found.start()]);
            masked.extend_from_slice(MASK);
            end = found.end();
        }
        if end == 0 {
            return None;
        }
        masked.extend_from_slice(&bytes[end..]);
        Some(masked)
    }

    /// The same, and where a text was cut short in a value, at its end or before `…`, what is there of the value.
    pub(super) fn apply_cut(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let masked = self.apply(bytes);
        let text = masked.as_deref().unwrap_or(bytes);
        let (mut rest, mut without) = (0, Vec::new());
        for (end, start) in self.cut_off(text) {
            if start >= rest {
                without.extend_from_slice(&text[rest..start]);
                without.extend_from_slice(MASK);
                rest = end;
            }
        }
        if rest == 0 {
            return masked;
        }
        without.extend_from_slice(&text[rest..]);
        Some(without)
    }

    /// Where a form was cut off: each end with the earliest start. Its time goes with the length of the text, whatever is in it.
    fn cut_off(&self, text: &[u8]) -> BTreeMap<usize, usize> {
        let mut found = BTreeMap::new();
        if !self.beginnings.as_ref().is_some_and(|beginnings| beginnings.is_match(text)) {
            return found;
        }
        for form in &self.forms {
            let mut length = 0;
            for (end, byte) in (1..).zip(text) {
                length = form.next(length, *byte);
                if length >= SHORTEST_MASKED && (end == text.len() || text[end..].starts_with(CUT)) {
                    let start = found.entry(end).or_insert(end - length);
                    *start = (*start).min(end - length);
                }
            }
        }
        found
    }

    /// How much at the end of `bytes` could be the beginning of a form whose rest is still to come.
    fn unfinished(&self, bytes: &[u8]) -> usize {
        self.forms.iter().map(|form| form.begun(bytes)).max().unwrap_or(0)
    }

    /// The end of the form, if there is one, that has its beginning before `cut` and its end after it.
    fn end_of_form_across(&self, bytes: &[u8], cut: usize) -> Option<usize> {
        let mut found = self.finder.as_ref()?.find_iter(bytes);
        found.find(|found| found.start() < cut && found.end() > cut).map(|found| found.end())
    }
}

impl Form {
    fn new(bytes: Vec<u8>) -> Self {
        let mut falls_back = vec![0; bytes.len()];
        let mut length = 0;
        for at in 1..bytes.len() {
            while length > 0 && bytes[at] != bytes[length] {
                length = falls_back[length - 1];
            }
            length += usize::from(bytes[at] == bytes[length]);
            falls_back[at] = length;
        }
        Self { bytes, falls_back }
    }

    /// The length of the longest beginning of the form, but not all of it, that ends `text`.
    fn begun(&self, text: &[u8]) -> usize {
        let window = &text[text.len().saturating_sub(self.bytes.len() - 1)..];
        window.iter().fold(0, |length, byte| self.next(length, *byte))
    }

    /// The length of the longest beginning of the form that ends a text, if `length` was that before `byte`.
    fn next(&self, mut length: usize, byte: u8) -> usize {
        if length == self.bytes.len() {
            length = self.falls_back[length - 1];
        }
        while length > 0 && byte != self.bytes[length] {
            length = self.falls_back[length - 1];
        }
        length + usize::from(byte == self.bytes[length])
    }
}

/// The forms in which a value is looked for: as it is, its lines, in base64, in an address, and in JSON.
fn forms(value: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![value.to_vec()];
    forms.extend(value.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::to_vec));
    // Names stand before passwords, and not before what is long; each form takes several times its length.
    let places = if value.len() <= PASSWORD { 0..3 } else { 0..1 };
    forms.extend(places.flat_map(|before| in_base64(value, before)));
    for set in [NON_ALPHANUMERIC, IN_QUERY, IN_PATH, UNRESERVED, PATH, COMPONENT, FORM] {
        let encoded = percent_encode(value, set).to_string();
        // In forms a space is a plus.
        forms.push(encoded.replace("%20", "+").into_bytes());
        forms.push(encoded.into_bytes());
    }
    forms.extend(of_address(value));
    if let Ok(text) = std::str::from_utf8(value) {
        let json = serde_json::Value::from(text).to_string();
        forms.push(json.as_bytes()[1..json.len() - 1].to_vec());
    }
    forms.retain(|form| value.len() >= SHORTEST_MASKED && form.len() >= SHORTEST_MASKED);
    forms
}

/// The value within a text in base64, after so many bytes of the text, whatever stands around it: as much of it as no other
/// byte has a part in, and at the end of the text.
fn in_base64(value: &[u8], before: usize) -> impl Iterator<Item = Vec<u8>> {
    let text = [&[0; 2][..before], value].concat();
    let encoded = [BASE64_STANDARD_NO_PAD.encode(&text), BASE64_URL_SAFE_NO_PAD.encode(&text)];
    let mixed_first = (before * 8).div_ceil(6);
    let mixed_last = usize::from(!text.len().is_multiple_of(3));
    encoded.into_iter().flat_map(move |encoded| {
        let own = encoded.as_bytes().get(mixed_first..).unwrap_or_default();
        [own.to_vec(), own[..own.len().saturating_sub(mixed_last)].to_vec()]
    })
}

/// An address that is a secret has its secret part in its path, as servers repeat it, and before the query, as refusals name it.
fn of_address(value: &[u8]) -> Vec<Vec<u8>> {
    let text = std::str::from_utf8(value).unwrap_or_default().trim();
    let Some((scheme, rest)) = text.split_once("://") else { return Vec::new() };
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Vec::new();
    }
    let whole = text.split('#').next().unwrap_or_default();
    let in_path = rest.find('/').map_or("", |at| &rest[at..]).split('#').next().unwrap_or_default();
    let mut forms = vec![whole, whole.split('?').next().unwrap_or_default()];
    let paths = [in_path, in_path.split('?').next().unwrap_or_default()];
    forms.extend(paths.into_iter().filter(|path| path.len() >= SECRET_PATH));
    forms.into_iter().map(|form| form.as_bytes().to_vec()).collect()
}

/// A stream of output on its way through the masks.
#[derive(Default)]
pub(super) struct Stream {
    /// The beginning of what may be a value.
    waiting: Vec<u8>,
}

impl Stream {
    /// Takes the next bytes; gives what can be passed on.
    pub(super) fn push(&mut self, masks: &Masks, bytes: Vec<u8>) -> Vec<u8> {
        let mut text = std::mem::take(&mut self.waiting);
        if text.is_empty() {
            text = bytes;
        } else {
            text.extend_from_slice(&bytes);
        }
        let cut = text.len() - masks.unfinished(&text);
        let cut = masks.end_of_form_across(&text, cut).unwrap_or(cut);
        self.waiting = text.split_off(cut);
        masks.apply(&text).unwrap_or(text)
    }

    /// Gives what was held back.
    pub(super) fn finish(&mut self, masks: &Masks) -> Vec<u8> {
        let rest = std::mem::take(&mut self.waiting);
        masks.apply(&rest).unwrap_or(rest)
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    fn masks(values: &[&str]) -> Masks {
        let values: Vec<Vec<u8>> = values.iter().map(|value| value.as_bytes().to_vec()).collect();
        Masks::of(values.iter()).unwrap()
    }

    fn masked(masks: &Masks, text: &str) -> String {
        let bytes = masks.apply(text.as_bytes()).unwrap_or_else(|| text.as_bytes().to_vec());
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn every_form_is_masked_and_what_is_too_short_is_not() {
        let masks = masks(&["pa\"ss word\n/2+", "short"]);
        let base64 = BASE64_STANDARD_NO_PAD.encode("pa\"ss word\n/2+");
        for text in [
            "pa\"ss word\n/2+",
            "pa\"ss word",
            "pa\\\"ss word\\n/2+",
            "pa%22ss%20word%0A%2F2%2B",
            "pa%22ss%20word%0A/2%2B",
            &base64,
        ] {
            assert_eq!(masked(&masks, &format!("<{text}>")), "<***>", "{text}");
        }
        assert_eq!(masked(&masks, "short /2+"), "short /2+");
    }

    #[test]
    fn a_value_is_masked_within_other_texts_in_base64() {
        let masks = masks(&["s3cretPassw0rd!"]);
        for user in ["", "b", "bo", "bob", "bobby"] {
            for after in ["", "!", "and more"] {
                let text = BASE64_STANDARD.encode(format!("{user}:s3cretPassw0rd!{after}"));
                let shown = masked(&masks, &text);
                // What the value shares a character with stays: at most its first and its last byte are in it.
                assert!(shown.contains("***") && shown.len() + 13 <= text.len(), "{text}: {shown}");
            }
        }
    }

    #[test]
    fn the_secret_part_of_an_address_is_masked_alone_too() {
        let masks = masks(&["HTTP://Example.com:80/services/T0/HooKToken?key=1", "https://example.com/short"]);
        for (text, expected) in [
            ("Cannot POST /services/T0/HooKToken", "Cannot POST ***"),
            ("http://example.com/services/T0/HooKToken?key=1 is refused", "http://example.com*** is refused"),
            ("GET /short", "GET /short"),
        ] {
            assert_eq!(masked(&masks, text), expected);
        }
    }

    #[test]
    fn what_is_left_of_a_value_that_was_cut_off_is_masked() {
        let masks = masks(&["eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.abc"]);
        let shown = |text: &str| {
            let bytes = masks.apply_cut(text.as_bytes()).unwrap_or_else(|| text.as_bytes().to_vec());
            String::from_utf8(bytes).unwrap()
        };
        for (text, expected) in [
            ("/tok is \"eyJhbGciOiJIUzI1Ni…, not \"nope\"", "/tok is \"***…, not \"nope\""),
            ("token: eyJhbGciOiJIUzI1NiIsInR5", "token: ***"),
            ("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.abc, eyJhbGciOiJ… and eyJhbGciOiJ", "***, ***… and ***"),
            ("eyJhbGciOiJIUzI1NiJ9.another's", "eyJhbGciOiJIUzI1NiJ9.another's"),
            ("it ends with eyJ", "it ends with eyJ"),
            ("eyJhbGciOiJIUzI1eyJhbGciOiJIUzI1…eyJhbGci…", "eyJhbGciOiJIUzI1***…***…"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }

    #[test]
    fn a_value_is_masked_wherever_the_stream_is_cut() {
        let masks = masks(&["abababac", "abababacus-1", "xx-ababab"]);
        let text = "abab abababacus-1 xx-abababac xx-ababa abababab";
        let whole = masked(&masks, text);
        assert_eq!(whole, "abab *** ***ac xx-ababa abababab");
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let mut stream = Stream::default();
                let pieces = [&text[..first], &text[first..second], &text[second..]];
                let mut out: Vec<u8> =
                    pieces.iter().flat_map(|piece| stream.push(&masks, piece.as_bytes().to_vec())).collect();
                out.extend(stream.finish(&masks));
                assert_eq!(String::from_utf8(out).unwrap(), whole, "{pieces:?}");
            }
        }
    }

    #[test]
    fn only_what_may_be_a_value_waits() {
        let masks = masks(&["password-1"]);
        let mut stream = Stream::default();
        assert_eq!(stream.push(&masks, b"login: pass".to_vec()), b"login: ");
        assert_eq!(stream.push(&masks, b"age ".to_vec()), b"passage ");
        assert_eq!(stream.push(&masks, b"pass".to_vec()), b"");
        assert_eq!(stream.finish(&masks), b"pass");
    }
}
