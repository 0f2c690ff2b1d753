//! Small changes to an input, as they turn a valid text into one that nobody thought of.

use crate::rng::Rng;

/// Longest input: ten times what any valid seed has, and small enough for many runs a second.
const LONGEST: usize = 256 << 10;
/// Values at which readers of binaries go wrong.
const EDGES: [u8; 10] = [0, 1, 0x0a, 0x0d, 0x40, 0x7f, 0x80, 0xbf, 0xfe, 0xff];

/// One to eight changes to `input`; `words` belong to the format, `others` are inputs to take parts of.
pub(crate) fn mutate(rng: &mut Rng, input: &mut Vec<u8>, words: &[&str], others: &[Vec<u8>]) {
    for _ in 0..=rng.below(8) {
        change(rng, input, words, others);
    }
    input.truncate(LONGEST);
}

fn change(rng: &mut Rng, input: &mut Vec<u8>, words: &[&str], others: &[Vec<u8>]) {
    let at = rng.below(input.len() + 1);
    match rng.below(9) {
        0 if at < input.len() => input[at] ^= 1 << rng.below(8),
        1 if at < input.len() => input[at] = *rng.pick(&EDGES),
        2 => input.insert(at, (rng.next() & 0xff) as u8),
        3 => {
            let end = (at + 1 + rng.below(16)).min(input.len());
            input.drain(at..end);
        }
        4 if !words.is_empty() => {
            let word = rng.pick(words).as_bytes();
            input.splice(at..at, word.iter().copied());
        }
        5 if !words.is_empty() => {
            let word = rng.pick(words).as_bytes();
            let end = (at + word.len()).min(input.len());
            input.splice(at..end, word.iter().copied());
        }
        6 => {
            // A part once more, up to many times.
            let end = (at + rng.below(32)).min(input.len());
            let part = input[at..end].to_vec();
            for _ in 0..=rng.below(64) {
                input.splice(at..at, part.iter().copied());
                if input.len() > LONGEST {
                    break;
                }
            }
        }
        7 if !others.is_empty() => {
            let other = rng.pick(others);
            let from = rng.below(other.len());
            let end = (from + rng.below(256)).min(other.len());
            input.splice(at..at, other[from..end].iter().copied());
        }
        _ => input.truncate(at),
    }
}

#[test]
fn the_same_seed_gives_the_same_inputs_and_other_seeds_others() {
    let made = |seed| {
        let mut rng = Rng::new(seed);
        let mut input = b"name: value".to_vec();
        for _ in 0..100 {
            mutate(&mut rng, &mut input, &["word"], &[b"other".to_vec()]);
        }
        input
    };
    assert_eq!(made(1), made(1));
    assert_ne!(made(1), made(2));
}
