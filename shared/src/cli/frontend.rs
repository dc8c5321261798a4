//! The two programs that share this command line.

/// The program that the user called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frontend {
    /// The kubectl plugin.
    Kubectl,
    /// The az extension.
    Az,
}

impl Frontend {
    /// How users call the program.
    pub fn words(self) -> &'static str {
        match self {
            Frontend::Kubectl => "kubectl connect",
            Frontend::Az => "az connect",
        }
    }
}
