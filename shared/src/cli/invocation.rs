//! One call of a verb: its arguments, the output, and access to the cluster. A verb gets only this value, so no verb
//! depends on the command line as a whole.

use clap::{ArgMatches, Command, FromArgMatches};

use crate::cli::flags::{az_cluster, global, values};
use crate::cli::frontend::Frontend;
use crate::engine::Stop;
use crate::kube::{Cluster, Flags};
use crate::lookup::records;
use crate::lookup::session::Session;
use crate::model::Result;
use crate::plan::record::Record;
use crate::ui::{Progress, Ui};

/// One call of a verb.
pub struct Invocation<'a> {
    /// The program that the user called.
    pub frontend: Frontend,
    /// Output and prompts of this run.
    pub ui: &'a Ui,
    /// The flags of every command.
    pub root: &'a ArgMatches,
    /// The word that was typed: a verb or a service.
    pub word: &'a str,
    /// The flags after the word.
    pub matches: &'a ArgMatches,
    /// Stop signal of Ctrl-C.
    pub stop: Stop,
    /// Builds the whole command line, for verbs that describe it.
    pub whole: fn(Frontend) -> Command,
}

impl Invocation<'_> {
    /// The flags of the verb as a struct.
    ///
    /// # Errors
    /// If a flag has an invalid value.
    pub fn read<T: FromArgMatches>(&self) -> Result<T> {
        values::parse(self.matches)
    }

    /// The connection flags for the cluster.
    ///
    /// # Errors
    /// If a flag has an invalid value.
    pub fn flags(&self) -> Result<Flags> {
        global::flags(self.ui, self.root)
    }

    /// Opens Azure and the cluster, with a progress display.
    ///
    /// # Errors
    /// Errors in az's files or in the kube context.
    pub async fn session(&self) -> Result<(Session, Progress)> {
        let flags = self.flags()?;
        let progress = self.ui.progress();
        let session = Session::open(&flags, az_cluster::azure(), &progress.events()).await?;
        Ok((session, progress))
    }

    /// Opens only the cluster; no Azure sign-in is needed.
    ///
    /// # Errors
    /// Errors in the kube context.
    pub async fn cluster(&self) -> Result<Cluster> {
        Cluster::connect(&self.flags()?, &self.ui.progress().events()).await
    }
}

/// The record of a connection in the current namespace.
///
/// # Errors
/// If there is none; names the existing ones.
pub async fn record(kube: &Cluster, name: &str) -> Result<Record> {
    match records::load(kube, kube.namespace(), name).await? {
        Some(stored) => Ok(stored.record),
        None => Err(records::no_such_connection(&records::list(kube, kube.namespace()).await?, kube.namespace(), name)),
    }
}
