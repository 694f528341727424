//! The letters that rows are written in: little-endian numbers, variable-length numbers, texts with their length.

use sandglass_core::time::Timestamp;

use crate::error::StoreError;

/// Writes a row.
#[derive(Default)]
pub(super) struct Encoder(Vec<u8>);

impl Encoder {
    pub(super) fn new(format: u8) -> Self {
        let mut bytes = Vec::with_capacity(192);
        bytes.push(format);
        Self(bytes)
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// Bytes whose number the reader knows.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Seven bits a byte, the lowest first, the top bit set in all but the last.
    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// A number whose sign moves to the lowest bit, so that small ones are short either way.
    pub(super) fn signed(&mut self, number: i64) {
        self.number((number << 1 ^ number >> 63) as u64);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.raw(text.as_bytes());
    }

    pub(super) fn instant(&mut self, at: Timestamp) {
        self.signed(at.as_micros());
    }

    /// An instant as its distance from another one that the reader knows: usually short.
    pub(super) fn instant_from(&mut self, base: Timestamp, at: Timestamp) {
        self.signed(at.as_micros().wrapping_sub(base.as_micros()));
    }

    /// A flag, and what follows it if it is set.
    pub(super) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.byte(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads a row. Every way to fail ends in [`StoreError::Corrupt`].
pub(super) struct Decoder<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Decoder<'a> {
    /// Reads a row of kind `what`, which must have the format `format`.
    pub(super) fn new(bytes: &'a [u8], what: &'static str, format: u8) -> Result<Self, StoreError> {
        let mut decoder = Self { rest: bytes, what };
        match decoder.byte()? {
            found if found == format => Ok(decoder),
            found => Err(decoder.wrong(&format!("has the unknown format {found}"))),
        }
    }

    pub(super) fn wrong(&self, why: &str) -> StoreError {
        StoreError::corrupt(format!("a {} {why}", self.what))
    }

    pub(super) fn byte(&mut self) -> Result<u8, StoreError> {
        Ok(self.raw(1)?[0])
    }

    pub(super) fn raw(&mut self, count: usize) -> Result<&'a [u8], StoreError> {
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or_else(|| self.wrong("is cut short"))?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        Ok(self.raw(N)?.try_into().expect("raw gives as many bytes as asked for"))
    }

    pub(super) fn number(&mut self) -> Result<u64, StoreError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.wrong("has a number that does not end"))
    }

    pub(super) fn small<T: TryFrom<u64>>(&mut self) -> Result<T, StoreError> {
        let number = self.number()?;
        T::try_from(number).map_err(|_| self.wrong("has a number that is too large"))
    }

    pub(super) fn signed(&mut self) -> Result<i64, StoreError> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub(super) fn text(&mut self) -> Result<&'a str, StoreError> {
        let length = self.small()?;
        let bytes = self.raw(length)?;
        std::str::from_utf8(bytes).map_err(|_| self.wrong("has a text that is not UTF-8"))
    }

    /// A text that must be a name or the like.
    pub(super) fn parsed<T: std::str::FromStr>(&mut self) -> Result<T, StoreError> {
        let text = self.text()?;
        text.parse().map_err(|_| self.wrong(&format!("has an invalid name '{text}'")))
    }

    pub(super) fn instant(&mut self) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::from_micros(self.signed()?))
    }

    pub(super) fn instant_from(&mut self, base: Timestamp) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::from_micros(base.as_micros().wrapping_add(self.signed()?)))
    }

    pub(super) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match self.byte()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            other => Err(self.wrong(&format!("has the flag {other}"))),
        }
    }

    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), StoreError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.wrong("is too long")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip() {
        let numbers = [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX];
        let signed = [0, 1, -1, 63, -64, i64::MAX, i64::MIN];
        let mut encoder = Encoder::new(1);
        numbers.iter().for_each(|number| encoder.number(*number));
        signed.iter().for_each(|number| encoder.signed(*number));
        let bytes = encoder.finish();
        let mut decoder = Decoder::new(&bytes, "row", 1).unwrap();
        assert!(numbers.iter().all(|number| decoder.number().unwrap() == *number));
        assert!(signed.iter().all(|number| decoder.signed().unwrap() == *number));
        decoder.end().unwrap();
    }

    #[test]
    fn nonsense_is_refused() {
        let endless = [1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert!(Decoder::new(&endless, "row", 1).unwrap().number().is_err());
        assert!(Decoder::new(&[1, 200], "row", 1).unwrap().text().is_err());
        assert!(Decoder::new(&[2], "row", 1).is_err());
        assert!(Decoder::new(&[], "row", 1).is_err());
    }
}
