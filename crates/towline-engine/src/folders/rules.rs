//! What shells ask of ignore rules: to show them, to replace those that travel with the folder, and
//! what rules would match of what lies here.

use std::sync::Arc;

use towline_core::folder::rules::{RULES_BYTES_MAX, RuleSet, Rules};
use towline_wire::ids::FolderId;

use super::Listings;
use crate::view::{self, AnswerView, AskedOfRules, ViewError};

impl Listings {
    /// Asks after the ignore rules of a folder. A change is begun on the disk even when the future is
    /// dropped.
    pub(crate) async fn ask_rules(
        &self,
        folder: FolderId,
        asked: AskedOfRules,
        local: String,
    ) -> Result<AnswerView, ViewError> {
        let stopping = || ViewError::new("stopping");
        let library = self.0.upgrade().ok_or_else(stopping)?;
        let root = library.disk.root(folder);
        let root = root.ok_or_else(|| ViewError::new("folder_paused"))?;
        let writes = matches!(asked, AskedOfRules::Share(_));
        let job = move || match asked {
            AskedOfRules::Show => match root.shared_rules() {
                Ok(shared) => Ok(AnswerView::Rules { shared, local }),
                Err(fault) => Err(view::rules_fault(&fault)),
            },
            AskedOfRules::Share(text) if text.len() > RULES_BYTES_MAX => {
                Err(ViewError::new("rules_too_long"))
            }
            AskedOfRules::Share(text) => match root.write_shared_rules(&text) {
                Ok(()) => Ok(AnswerView::Accepted),
                Err(fault) => Err(view::rules_fault(&fault)),
            },
            AskedOfRules::Preview {
                shared,
                local,
                limit,
            } => {
                let rules = Rules {
                    shared: RuleSet::parse(&shared),
                    local: RuleSet::parse(&local),
                };
                let (paths, count) = root.matches(&rules, limit);
                Ok(view::matches(paths, count, &rules))
            }
        };
        let pool = Arc::clone(library.disk.pool());
        let answer = pool.run(job).await.map_err(|_| stopping())?;
        // The watcher sees it too, where there is one.
        if writes && answer.is_ok() {
            library.disk.look_at_rules(folder);
        }
        answer
    }
}
