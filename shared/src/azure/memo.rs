//! Cache of ARM answers for one run: no read is sent twice, and concurrent callers of the same read share one
//! request. Writes drop the answers that they may have changed.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::OnceCell;

use super::{Failure, ServiceError};

/// A cached answer. Refusals are cached too, since asking again would give the same. `None` is a 404.
type Answer = Result<Option<Value>, ServiceError>;

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    /// Tenant of the token.
    pub(crate) tenant: Option<String>,
    /// Path in lower case, without a trailing slash: ARM ignores case in names.
    pub(crate) path: String,
    /// Everything else that affects the answer: api-version, query, and whether all pages are read.
    pub(crate) rest: String,
}

#[derive(Default)]
pub(crate) struct Memo(Mutex<HashMap<Question, Arc<OnceCell<Answer>>>>);

impl Memo {
    /// The answer to `question`; calls `ask` if it is not cached. Failures that may be temporary (throttling, server
    /// errors, network, sign-in) are not cached.
    pub(crate) async fn answer<F>(&self, question: Question, ask: impl FnOnce() -> F) -> Result<Option<Value>, Failure>
    where
        F: Future<Output = Result<Option<Value>, Failure>>,
    {
        let cell = self.cells().entry(question).or_default().clone();
        let answer = cell
            .get_or_try_init(|| async {
                match ask().await {
                    Ok(answer) => Ok(Ok(answer)),
                    Err(Failure::Service(error)) if matches!(error.status, 400 | 403 | 404 | 405 | 409) => Ok(Err(*error)),
                    Err(other) => Err(other),
                }
            })
            .await?;
        answer.clone().map_err(Failure::from)
    }

    /// Drops the answers for `path` and everything below it.
    pub(crate) fn forget(&self, path: &str) {
        let path = normal(path);
        self.cells()
            .retain(|question, _| !(question.path == path || question.path.strip_prefix(&path).is_some_and(|rest| rest.starts_with('/'))));
    }

    /// Drops the answers for `path` only.
    pub(crate) fn forget_exactly(&self, path: &str) {
        let path = normal(path);
        self.cells().retain(|question, _| question.path != path);
    }

    /// Drops what a write to `path` may have changed: answers for and below it, the list that contains it, and its
    /// parent, whose properties often repeat those of its children.
    pub(crate) fn written(&self, path: &str) {
        self.forget(path);
        let path = normal(path);
        let list = path.rsplit_once('/').map_or("", |(list, _)| list);
        let parent = list.rsplit_once('/').map_or("", |(parent, _)| parent);
        self.cells().retain(|question, _| question.path != list && question.path != parent);
    }

    fn cells(&self) -> MutexGuard<'_, HashMap<Question, Arc<OnceCell<Answer>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The form of a path for comparing questions.
pub(crate) fn normal(path: &str) -> String {
    path.trim_end_matches('/').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn asked(memo: &Memo, path: &str) -> bool {
        let mut asked = false;
        let question = Question { tenant: None, path: normal(path), rest: String::new() };
        let ask = || {
            asked = true;
            async { Ok(None) }
        };
        memo.answer(question, ask).await.unwrap();
        asked
    }

    #[tokio::test]
    async fn a_write_drops_what_it_may_have_changed() {
        let memo = Memo::default();
        let all =
            ["/g/Vaults/v/secrets/a", "/g/vaults/v/secrets/a/versions", "/g/vaults/v/secrets", "/g/vaults/v", "/g/vaults/v2", "/g/vaults"];
        for path in all {
            assert!(asked(&memo, path).await);
            assert!(!asked(&memo, &path.to_uppercase()).await);
        }
        memo.written("/g/vaults/V/secrets/a");
        for (path, again) in all.iter().zip([true, true, true, true, false, false]) {
            assert_eq!(asked(&memo, path).await, again, "{path}");
        }
        memo.forget("/g/vaults/v");
        assert!(asked(&memo, "/g/vaults/v/secrets").await && !asked(&memo, "/g/vaults/v2").await);
    }
}
