//! A list with stable numbers: freed places are used again, and it grows by small blocks that never move.
//!
//! A doubling vector would cost up to as much memory again as the records themselves, and a copy of all of them
//! each time it grows.

/// Values at numbers that stay the same until they are removed. At most 2^24 - 1 of them.
pub(crate) struct Dense<T> {
    blocks: Vec<Box<[Option<T>]>>,
    free: Vec<u32>,
    used: u32,
}

const BLOCK: u32 = 64;
const MOST: u32 = 0x00ff_ffff;

impl<T> Default for Dense<T> {
    fn default() -> Self {
        Self { blocks: Vec::new(), free: Vec::new(), used: 0 }
    }
}

impl<T> Dense<T> {
    /// Adds a value; `None` if there are too many.
    pub(crate) fn insert(&mut self, value: T) -> Option<u32> {
        let number = match self.free.pop() {
            Some(number) => number,
            None if self.used == MOST => return None,
            None => {
                if self.used.is_multiple_of(BLOCK) {
                    self.blocks.push((0..BLOCK).map(|_| None).collect());
                }
                self.used += 1;
                self.used - 1
            }
        };
        *self.place(number)? = Some(value);
        Some(number)
    }

    /// Takes the value out; its number may be used again.
    pub(crate) fn remove(&mut self, number: u32) -> Option<T> {
        let value = self.place(number)?.take()?;
        self.free.push(number);
        Some(value)
    }

    /// The value at a number.
    pub(crate) fn at(&self, number: u32) -> Option<&T> {
        self.blocks.get((number / BLOCK) as usize)?.get((number % BLOCK) as usize)?.as_ref()
    }

    /// The value at a number, to be changed.
    pub(crate) fn at_mut(&mut self, number: u32) -> Option<&mut T> {
        self.place(number)?.as_mut()
    }

    /// All values with their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0u32..)
            .zip(self.blocks.iter().flatten())
            .filter_map(|(number, place)| Some((number, place.as_ref()?)))
    }

    fn place(&mut self, number: u32) -> Option<&mut Option<T>> {
        self.blocks.get_mut((number / BLOCK) as usize)?.get_mut((number % BLOCK) as usize)
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

    #[test]
    fn it_grows_beyond_its_blocks() {
        let mut list = Dense::default();
        let numbers: Vec<_> = (0..1_000).map(|value| list.insert(value).unwrap()).collect();
        assert_eq!(numbers, (0..1_000).collect::<Vec<u32>>());
        assert!(list.iter().all(|(number, value)| number == *value));
        assert_eq!(list.iter().count(), 1_000);
    }
}
