use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::PathBuf;

use super::*;
use crate::code::Draft;

fn code(bytes: &[u8]) -> Code {
    let mut draft = Draft::new().unwrap();
    draft.append(bytes).unwrap();
    draft.finish().unwrap()
}

fn bytes(code: &Code) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(code.size()).unwrap()];
    code.read_at(&mut bytes, 0).unwrap();
    bytes
}

/// A cache, and the folder of its files.
fn cache() -> (tempfile::TempDir, Cache, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let cache = Cache::open(parent.path()).unwrap();
    let folder = parent.path().join(FOLDER);
    (parent, cache, folder)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn only(folder: &Path) -> PathBuf {
    let names = names(folder);
    assert_eq!(names.len(), 1, "{names:?}");
    folder.join(&names[0])
}

fn miss(cache: &Cache, name: &str) -> Miss {
    cache.get(name).map(|code| code.size()).unwrap_err()
}

#[test]
fn what_is_put_there_comes_back() {
    let (_parent, cache, folder) = cache();
    // Below, at and above the size of a chunk.
    for size in [1, 262_143, 262_144, 262_145, 1_000_000] {
        let content: Vec<u8> = (0..size).map(|index: u32| (index * 7) as u8).collect();
        cache.put("name", &code(&content)).unwrap();
        assert_eq!(bytes(&cache.get("name").unwrap()), content);
        let about = std::fs::metadata(only(&folder)).unwrap();
        assert_eq!(about.len(), seal::sealed_size(size.into()));
        assert_eq!(about.permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(miss(&cache, "other"), Miss::Absent);
    let about = std::fs::metadata(&folder).unwrap();
    assert_eq!(about.permissions().mode() & 0o777, 0o700);
}

#[test]
fn attack_18_a_changed_byte_anywhere_breaks_the_seal() {
    let (_parent, cache, folder) = cache();
    let content = vec![7; 600_000];
    cache.put("name", &code(&content)).unwrap();
    let file = only(&folder);
    let size = std::fs::metadata(&file).unwrap().len();
    let written = std::fs::read(&file).unwrap();
    // Head, length, number, and every region of the code and the tags.
    let places = (0..40)
        .chain((40..size).step_by(9973))
        .chain([size - 17, size - 1]);
    for place in places {
        let mut changed = written.clone();
        changed[usize::try_from(place).unwrap()] ^= 1;
        std::fs::write(&file, changed).unwrap();
        assert!(matches!(miss(&cache, "name"), Miss::Tampered(_)), "{place}");
        // It is gone, and not looked at again.
        assert_eq!(miss(&cache, "name"), Miss::Absent, "{place}");
    }
    std::fs::write(&file, &written).unwrap();
    assert_eq!(bytes(&cache.get("name").unwrap()), content);
}

#[test]
fn attack_18_files_that_are_cut_swapped_or_longer_are_refused() {
    let (_parent, cache, folder) = cache();
    cache.put("a", &code(&[1; 600_000])).unwrap();
    let a = only(&folder);
    let written = std::fs::read(&a).unwrap();
    for length in [0, 8, 16, 31, 32, 40, 262_144, written.len() - 1] {
        std::fs::write(&a, &written[..length]).unwrap();
        assert!(matches!(miss(&cache, "a"), Miss::Tampered(_)), "{length}");
    }
    std::fs::write(&a, [written.as_slice(), b"more"].concat()).unwrap();
    assert!(matches!(miss(&cache, "a"), Miss::Tampered(_)));
    // Two chunks that change places: each is genuine, none fits there.
    let mut swapped = written.clone();
    let (one, two) = swapped[32..].split_at_mut(262_144 + 16);
    one.swap_with_slice(&mut two[..262_144 + 16]);
    std::fs::write(&a, swapped).unwrap();
    assert!(matches!(miss(&cache, "a"), Miss::Tampered(_)));
    // A genuine file under the name of another.
    std::fs::write(&a, &written).unwrap();
    let b = a.to_str().unwrap().replace("-a.", "-b.");
    std::fs::copy(&a, b).unwrap();
    assert!(matches!(miss(&cache, "b"), Miss::Tampered(_)));
    assert!(cache.get("a").is_ok());
}

#[test]
fn attack_18_links_pipes_and_folders_are_not_followed() {
    let (parent, cache, folder) = cache();
    cache.put("a", &code(&[1; 100])).unwrap();
    let a = only(&folder);
    let elsewhere = parent.path().join("elsewhere");
    std::fs::rename(&a, &elsewhere).unwrap();
    symlink(&elsewhere, &a).unwrap();
    assert_eq!(miss(&cache, "a"), Miss::Tampered("it is a link"));
    assert!(elsewhere.exists(), "the link is removed, not what it shows");
    // Whoever writes does not follow either, and replaces the name as a whole.
    symlink(&elsewhere, &a).unwrap();
    let before = std::fs::read(&elsewhere).unwrap();
    cache.put("a", &code(&[2; 100])).unwrap();
    assert_eq!(std::fs::read(&elsewhere).unwrap(), before);
    assert_eq!(bytes(&cache.get("a").unwrap()), [2; 100]);
    for make in ["mkfifo", "mkdir"] {
        std::fs::remove_file(&a).unwrap();
        let made = std::process::Command::new(make).arg(&a).status().unwrap();
        assert!(made.success());
        assert_eq!(miss(&cache, "a"), Miss::Tampered("it is no file"), "{make}");
        let _ = std::fs::remove_dir(&a);
        std::fs::write(&a, "").unwrap();
    }
}

#[test]
fn attack_18_what_changes_after_the_read_changes_nothing() {
    let (_parent, cache, folder) = cache();
    cache.put("a", &code(&[1; 600_000])).unwrap();
    let file = std::fs::File::options()
        .write(true)
        .open(only(&folder))
        .unwrap();
    let verified = cache.get("a").unwrap();
    file.write_all_at(&[0xcc; 600_000], 0).unwrap();
    file.set_len(1).unwrap();
    assert_eq!(bytes(&verified), [1; 600_000]);
}

#[test]
fn a_file_is_replaced_and_never_rewritten() {
    let (_parent, cache, folder) = cache();
    cache.put("a", &code(&[1; 100])).unwrap();
    let first = std::fs::metadata(only(&folder)).unwrap().ino();
    let held = std::fs::File::open(only(&folder)).unwrap();
    let before = held.metadata().unwrap().len();
    cache.put("a", &code(&[2; 999])).unwrap();
    assert_ne!(std::fs::metadata(only(&folder)).unwrap().ino(), first);
    assert_eq!(held.metadata().unwrap().len(), before);
}

#[test]
fn what_other_processes_left_is_removed_and_nothing_else() {
    let (parent, cache, folder) = cache();
    cache.put("a", &code(&[1; 100])).unwrap();
    for name in ["0123456789abcdef-a.cwasm", "x.cwasm-new", "notes.txt"] {
        std::fs::write(folder.join(name), "left").unwrap();
    }
    let precious = parent.path().join("precious");
    std::fs::write(&precious, "kept").unwrap();
    symlink(&precious, folder.join("link.cwasm")).unwrap();
    let again = Cache::open(parent.path()).unwrap();
    let left = names(&folder);
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.contains(&"notes.txt".to_owned()));
    // A host of the same process can use what another compiled.
    assert_eq!(bytes(&again.get("a").unwrap()), [1; 100]);
    assert_eq!(std::fs::read_to_string(precious).unwrap(), "kept");
}

#[test]
fn the_oldest_make_room() {
    let parent = tempfile::tempdir().unwrap();
    let cache = Cache::limited(parent.path(), 5000).unwrap();
    let folder = parent.path().join(FOLDER);
    for name in ["a", "b", "c", "d"] {
        cache.put(name, &code(&[1; 1500])).unwrap();
        // Times of files are as coarse as the kernel's tick.
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(miss(&cache, "a"), Miss::Absent);
    assert!(cache.get("b").is_ok() && cache.get("d").is_ok());
    let words = cache.put("e", &code(&[1; 6000])).unwrap_err();
    assert_eq!(words, "the code is larger than the whole cache may be");
    assert_eq!(names(&folder).len(), 3);
}

#[test]
fn a_folder_that_others_may_change_is_not_used() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join(FOLDER);
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o770)).unwrap();
    let words = Cache::open(parent.path()).map(drop).unwrap_err();
    assert!(words.contains("can be changed by others"), "{words}");
    std::fs::remove_dir(&folder).unwrap();
    symlink("/tmp", &folder).unwrap();
    let words = Cache::open(parent.path()).map(drop).unwrap_err();
    assert!(words.contains("is not a folder of its own"), "{words}");
}
