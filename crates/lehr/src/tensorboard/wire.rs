//! The few fields of TensorBoard's protocol buffers that make a scalar; everything else is passed over.

use std::collections::BTreeMap;

use super::Scalar;

/// What an event adds to.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub scalars: Vec<Scalar>,
    /// Settings of the run, as the plugin `hparams` has them.
    pub settings: BTreeMap<String, String>,
}

/// The value of a field.
enum Field<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Fixed32([u8; 4]),
    Bytes(&'a [u8]),
}

/// The fields of a message; `None` as the last item if it is malformed.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Option<(u64, Field<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = field(&mut self.0);
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Field<'a>)> {
    let key = varint(rest)?;
    let value = match key & 7 {
        0 => Field::Varint(varint(rest)?),
        1 => Field::Fixed64(take(rest, 8)?.try_into().ok()?),
        2 => {
            let length = varint(rest)?;
            Field::Bytes(take(rest, usize::try_from(length).ok()?)?)
        }
        5 => Field::Fixed32(take(rest, 4)?.try_into().ok()?),
        _ => return None,
    };
    Some((key >> 3, value))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, left) = rest.split_first()?;
        *rest = left;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Adds what an `Event` (`wall_time` 1, `step` 2, `summary` 5) holds; none if it is malformed.
pub(super) fn event(event: &[u8], found: &mut Found) -> Option<()> {
    let (mut wall_time, mut step, mut summary) = (0.0, 0, None);
    for field in Fields(event) {
        match field? {
            (1, Field::Fixed64(bytes)) => wall_time = f64::from_le_bytes(bytes),
            (2, Field::Varint(value)) => step = value,
            (5, Field::Bytes(bytes)) => summary = Some(bytes),
            _ => {}
        }
    }
    let before = found.scalars.len();
    let mut complete = Some(());
    for field in Fields(summary.unwrap_or_default()) {
        let Some((number, field)) = field else {
            complete = None;
            break;
        };
        let (1, Field::Bytes(bytes)) = (number, field) else { continue };
        let Some((tag, number)) = value(bytes, &mut found.settings) else {
            complete = None;
            break;
        };
        found.scalars.extend(number.map(|value| Scalar { tag, step, wall_time, value }));
    }
    // A negative step is a large one in the unsigned reading.
    if complete.is_none() || step > i64::MAX as u64 {
        found.scalars.truncate(before);
    }
    complete
}

/// The tag (1) of a `Summary.Value` and, if it is a scalar (2 or 8), its number; settings (9) are added.
fn value(bytes: &[u8], settings: &mut BTreeMap<String, String>) -> Option<(String, Option<f64>)> {
    let (mut tag, mut number) = (String::new(), None);
    for field in Fields(bytes) {
        match field? {
            (1, Field::Bytes(name)) => tag = String::from_utf8_lossy(name).into_owned(),
            (2, Field::Fixed32(bytes)) => number = Some(f64::from(f32::from_le_bytes(bytes))),
            (8, Field::Bytes(bytes)) => number = tensor(bytes)?.number(),
            (9, Field::Bytes(metadata)) => hparams(metadata, settings)?,
            _ => {}
        }
    }
    Some((tag, number))
}

/// Adds the settings in a `SummaryMetadata`: its plugin's data (1) are the name (1) and the content (2), for `hparams`
/// a message whose `session_start_info` (3) holds a map (1).
fn hparams(metadata: &[u8], settings: &mut BTreeMap<String, String>) -> Option<()> {
    let Some(plugin) = bytes_of(metadata, 1)? else { return Some(()) };
    if bytes_of(plugin, 1)? != Some(b"hparams") {
        return Some(());
    }
    let content = bytes_of(plugin, 2)?.unwrap_or_default();
    for field in Fields(bytes_of(content, 3)?.unwrap_or_default()) {
        let (1, Field::Bytes(entry)) = field? else { continue };
        let key = String::from_utf8_lossy(bytes_of(entry, 1)?.unwrap_or_default()).into_owned();
        for field in Fields(bytes_of(entry, 2)?.unwrap_or_default()) {
            let text = match field? {
                (2, Field::Fixed64(bytes)) => f64::from_le_bytes(bytes).to_string(),
                (3, Field::Bytes(text)) => String::from_utf8_lossy(text).into_owned(),
                (4, Field::Varint(value)) => (value != 0).to_string(),
                _ => continue,
            };
            settings.insert(key.clone(), text);
        }
    }
    Some(())
}

/// The last field of this number that holds bytes; none outside if the message is malformed.
fn bytes_of(message: &[u8], wanted: u64) -> Option<Option<&[u8]>> {
    let mut found = None;
    for field in Fields(message) {
        if let (number, Field::Bytes(bytes)) = field? {
            found = if number == wanted { Some(bytes) } else { found };
        }
    }
    Some(found)
}

/// What a `TensorProto` says: its type, the product of its dimensions, and the bytes or values that it holds.
struct Tensor<'a> {
    kind: u64,
    elements: u64,
    content: &'a [u8],
    first: Option<f64>,
}

fn tensor(bytes: &[u8]) -> Option<Tensor<'_>> {
    let mut tensor = Tensor { kind: 0, elements: 1, content: &[], first: None };
    for field in Fields(bytes) {
        match field? {
            (1, Field::Varint(kind)) => tensor.kind = kind,
            (2, Field::Bytes(shape)) => tensor.elements = elements(shape)?,
            (4, Field::Bytes(content)) => tensor.content = content,
            (5, Field::Fixed32(bytes)) => tensor.first = Some(f64::from(f32::from_le_bytes(bytes))),
            (6, Field::Fixed64(bytes)) => tensor.first = Some(f64::from_le_bytes(bytes)),
            (7 | 10 | 11, Field::Varint(value)) => tensor.first = Some(value as i64 as f64),
            // Packed repeated fields.
            (5, Field::Bytes(packed)) => {
                tensor.first = packed.first_chunk().map(|b| f32::from_le_bytes(*b).into())
            }
            (6, Field::Bytes(packed)) => tensor.first = packed.first_chunk().map(|b| f64::from_le_bytes(*b)),
            (7 | 10 | 11, Field::Bytes(mut packed)) => {
                tensor.first = varint(&mut packed).map(|value| value as i64 as f64);
            }
            _ => {}
        }
    }
    Some(tensor)
}

/// The product of the sizes (1) of the dimensions (2) of a shape; 1 where there is none.
fn elements(shape: &[u8]) -> Option<u64> {
    let mut product = 1u64;
    for field in Fields(shape) {
        let (2, Field::Bytes(dimension)) = field? else { continue };
        let mut size = 0;
        for field in Fields(dimension) {
            if let (1, Field::Varint(value)) = field? {
                size = value;
            }
        }
        product = product.saturating_mul(size);
    }
    Some(product)
}

impl Tensor<'_> {
    /// The number of a tensor of one element; none for more, and for text.
    fn number(&self) -> Option<f64> {
        if self.elements != 1 {
            return None;
        }
        let content = self.content;
        match (self.kind, content.len()) {
            (1 | 2 | 3 | 9 | 10, 0) => self.first,
            (1, 4) => content.first_chunk().map(|b| f32::from_le_bytes(*b).into()),
            (2, 8) => content.first_chunk().map(|b| f64::from_le_bytes(*b)),
            (3, 4) => content.first_chunk().map(|b| i32::from_le_bytes(*b).into()),
            (9, 8) => content.first_chunk().map(|b| i64::from_le_bytes(*b) as f64),
            // bfloat16: the upper half of a 32-bit float.
            (14, 2) => content.first_chunk().map(|b: &[u8; 2]| f32::from_le_bytes([0, 0, b[0], b[1]]).into()),
            _ => None,
        }
    }
}
