//! A list with stable numbers and no gaps to speak of: freed places are used again, growth is by a sixteenth.
//!
//! Doubling would cost up to as much memory again as the records themselves.

/// Values at numbers that stay the same until they are removed. At most 2^24 - 1 of them.
pub(crate) struct Dense<T> {
    places: Vec<Option<T>>,
    free: Vec<u32>,
}

const MOST: usize = 0x00ff_ffff;

impl<T> Default for Dense<T> {
    fn default() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Dense<T> {
    /// Adds a value; `None` if there are too many.
    pub(crate) fn insert(&mut self, value: T) -> Option<u32> {
        if let Some(number) = self.free.pop()
            && let Some(place) = self.places.get_mut(number as usize)
        {
            *place = Some(value);
            return Some(number);
        }
        if self.places.len() >= MOST {
            return None;
        }
        if self.places.len() == self.places.capacity() {
            self.places.reserve_exact(self.places.len() / 16 + 4);
        }
        self.places.push(Some(value));
        Some((self.places.len() - 1) as u32)
    }

    /// Takes the value out; its number may be used again.
    pub(crate) fn remove(&mut self, number: u32) -> Option<T> {
        let value = self.places.get_mut(number as usize)?.take()?;
        self.free.push(number);
        Some(value)
    }

    /// The value at a number.
    pub(crate) fn at(&self, number: u32) -> Option<&T> {
        self.places.get(number as usize)?.as_ref()
    }

    /// The value at a number, to be changed.
    pub(crate) fn at_mut(&mut self, number: u32) -> Option<&mut T> {
        self.places.get_mut(number as usize)?.as_mut()
    }

    /// All values with their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0u32..).zip(&self.places).filter_map(|(number, place)| Some((number, place.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::Dense;

    #[test]
    fn a_freed_number_is_used_again_and_the_others_stay() {
        let mut list = Dense::default();
        let a = list.insert("a").unwrap();
        let b = list.insert("b").unwrap();
        assert_eq!(list.remove(a), Some("a"));
        assert_eq!(list.remove(a), None);
        assert_eq!(list.insert("c"), Some(a));
        assert_eq!((list.at(a), list.at(b)), (Some(&"c"), Some(&"b")));
        assert_eq!(list.iter().count(), 2);
    }
}
