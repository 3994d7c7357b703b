//! Which of many tokens comes next.

use super::figures::float;

/// Numbers that look random and are the same in every run (`SplitMix64`).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One of so many.
    pub(crate) fn below(&mut self, many: usize) -> usize {
        let share = self.unit() * float(u64::try_from(many).unwrap_or(u64::MAX));
        (0..many)
            .take_while(|number| float(u64::try_from(*number).unwrap_or(u64::MAX)) + 1.0 <= share)
            .count()
    }

    /// Evenly from 0 to 1.
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        float((mixed ^ (mixed >> 31)) >> 11) / float(1 << 53)
    }
}

/// Zipf's law: of `n` things the k-th comes with a likelihood of 1/k of the first.
pub(crate) struct Zipf(Vec<f64>);

impl Zipf {
    pub(crate) fn new(things: u32) -> Self {
        let weights = (1..=things).map(|rank| 1.0 / f64::from(rank));
        let below = weights.scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Self(below.collect())
    }

    pub(crate) fn next(&self, random: &mut Random) -> usize {
        let drawn = random.unit() * self.0.last().copied().unwrap_or(0.0);
        self.0.partition_point(|below| *below <= drawn)
    }
}
