//! The two programs that share this command line.

/// Which program the user called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frontend {
    /// The kubectl plugin.
    Kubectl,
    /// The az extension.
    Az,
}

impl Frontend {
    /// The words with which a user calls the program.
    pub fn words(self) -> &'static str {
        match self {
            Frontend::Kubectl => "kubectl connect",
            Frontend::Az => "az connect",
        }
    }
}
