//! Extended attributes of a file: what people and their programs have noted beside its bytes.
//!
//! Only those of users travel, named as Linux does: `user.` and more. What belongs to the system
//! (`security.`, `system.`, `trusted.`) is never told, and refused when it comes from a peer. The list
//! is canonical, so equal attributes are equal bytes, and bounded, so that no entry outgrows a page.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::limits::{ATTRIBUTE_NAME_BYTES_MAX, ATTRIBUTES_BYTES_MAX, ATTRIBUTES_MAX};

/// How the names of all attributes begin that travel.
pub const USERS_PREFIX: &str = "user.";

/// The attributes of one file. Strictly ascending by name; at most
/// [`ATTRIBUTES_MAX`], of [`ATTRIBUTES_BYTES_MAX`] bytes together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<(String, Vec<u8>)>", into = "Vec<(String, Vec<u8>)>")]
pub struct Attributes(Vec<(String, Vec<u8>)>);

/// Why a list is not the attributes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttributesError {
    /// A name belongs to the system, or has nothing after its prefix.
    #[error("attribute is not one of the user's")]
    NotUsers,
    /// A name holds a NUL byte.
    #[error("attribute has a NUL in its name")]
    Nul,
    /// A name is longer than [`ATTRIBUTE_NAME_BYTES_MAX`].
    #[error("attribute has a name that is too long")]
    NameTooLong,
    /// More than [`ATTRIBUTES_MAX`].
    #[error("too many attributes")]
    TooMany,
    /// More bytes than [`ATTRIBUTES_BYTES_MAX`].
    #[error("attributes are too large")]
    TooLarge,
    /// Names are not strictly ascending, or the list is empty where it must not be.
    #[error("attributes are not canonical")]
    NotCanonical,
}

impl Attributes {
    /// The attributes with these names and values, in any order.
    pub fn new(mut all: Vec<(String, Vec<u8>)>) -> Result<Self, AttributesError> {
        all.sort();
        Self::try_from(all)
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values, ascending by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> + '_ {
        let all = self.0.iter();
        all.map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// The value under a name.
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        let at = self
            .0
            .binary_search_by(|(known, _)| known.as_str().cmp(name));
        self.0.get(at.ok()?).map(|(_, value)| value.as_slice())
    }

    /// Bytes of all names and values.
    pub fn size(&self) -> usize {
        bytes_of(&self.0)
    }

    /// What both have, written without knowing of each other: all names, and under each the longer
    /// or else larger value. What does not fit together is the larger one of both as a whole.
    ///
    /// Commutes and is idempotent, and never comes below either in one total order (size, then
    /// bytes), so devices that join what they have end with the same.
    #[must_use]
    pub fn joined(&self, other: &Self) -> Self {
        let mut all: BTreeMap<&str, &[u8]> = self.iter().collect();
        for (name, value) in other.iter() {
            let known = all.entry(name).or_insert(value);
            let rank = |value: &[u8]| value.len();
            if rank(known)
                .cmp(&rank(value))
                .then_with(|| (*known).cmp(value))
                == Ordering::Less
            {
                *known = value;
            }
        }
        owned(&all).unwrap_or_else(|_| {
            let rank = |one: &Self| one.size();
            match rank(self)
                .cmp(&rank(other))
                .then_with(|| self.0.cmp(&other.0))
            {
                Ordering::Less => other.clone(),
                Ordering::Equal | Ordering::Greater => self.clone(),
            }
        })
    }

    /// These, and of the others what has no name here; these alone where all do not fit together.
    #[must_use]
    pub fn with_others(&self, others: &Self) -> Self {
        let mut all: BTreeMap<&str, &[u8]> = others.iter().collect();
        all.extend(self.iter());
        owned(&all).unwrap_or_else(|_| self.clone())
    }
}

impl TryFrom<Vec<(String, Vec<u8>)>> for Attributes {
    type Error = AttributesError;

    fn try_from(all: Vec<(String, Vec<u8>)>) -> Result<Self, AttributesError> {
        if all.len() > ATTRIBUTES_MAX {
            return Err(AttributesError::TooMany);
        }
        for (name, _) in &all {
            if name.len() > ATTRIBUTE_NAME_BYTES_MAX {
                return Err(AttributesError::NameTooLong);
            }
            if name.contains('\0') {
                return Err(AttributesError::Nul);
            }
            if name.strip_prefix(USERS_PREFIX).is_none_or(str::is_empty) {
                return Err(AttributesError::NotUsers);
            }
        }
        if bytes_of(&all) > ATTRIBUTES_BYTES_MAX {
            return Err(AttributesError::TooLarge);
        }
        let ascending = all.windows(2).all(|pair| match pair {
            [(left, _), (right, _)] => left < right,
            _ => true,
        });
        if ascending {
            Ok(Self(all))
        } else {
            Err(AttributesError::NotCanonical)
        }
    }
}

impl From<Attributes> for Vec<(String, Vec<u8>)> {
    fn from(attributes: Attributes) -> Self {
        attributes.0
    }
}

fn owned(all: &BTreeMap<&str, &[u8]>) -> Result<Attributes, AttributesError> {
    let all = all.iter();
    let owned = all.map(|(name, value)| ((*name).to_owned(), value.to_vec()));
    Attributes::try_from(owned.collect::<Vec<_>>())
}

fn bytes_of(all: &[(String, Vec<u8>)]) -> usize {
    all.iter()
        .map(|(name, value)| name.len() + value.len())
        .sum()
}

#[cfg(test)]
mod tests;
