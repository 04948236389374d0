//! A process that another `pilot` has started.

use std::{io, process, thread};

/// Ends this process once the one that started it is gone. That one holds the other end of standard input, and the system
/// closes it even if it is killed.
pub(crate) fn end_with_parent() {
    thread::spawn(|| {
        // An error as well means that nobody is there.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        process::exit(1);
    });
}
