//! What the page is to hear from the shell, where the page may not listen yet.
//!
//! The latest counts: it is told at once, or waits for a page that listens. What a page has taken is
//! not kept; a page that is gone takes nothing, so that the next one hears it.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tauri::ipc::Channel;

/// Tidings of one kind, on their way to the page.
#[derive(Debug)]
pub(crate) struct Tidings<T> {
    page: Mutex<Page<T>>,
}

/// The page, as tidings meet it.
enum Page<T> {
    /// It does not listen yet; the latest waits.
    Awaited(Option<T>),
    /// It listens.
    Listens(Channel<T>),
}

impl<T: Serialize + Clone> Tidings<T> {
    /// For a page that is not there yet, with what it is to hear first.
    pub(crate) fn new(first: Option<T>) -> Self {
        Self {
            page: Mutex::new(Page::Awaited(first)),
        }
    }

    /// Tells the page, at once or when it listens.
    pub(crate) fn tell(&self, tidings: T) {
        let mut page = self.page();
        if let Page::Listens(channel) = &*page
            && channel.send(tidings.clone()).is_ok()
        {
            return;
        }
        *page = Page::Awaited(Some(tidings));
    }

    /// The page listens from now on; a page that listened before is gone.
    pub(crate) fn listen(&self, channel: Channel<T>) {
        let mut page = self.page();
        if let Page::Awaited(Some(tidings)) = &*page
            && channel.send(tidings.clone()).is_err()
        {
            // That page is gone already; the next one hears it.
            return;
        }
        *page = Page::Listens(channel);
    }

    fn page(&self) -> MutexGuard<'_, Page<T>> {
        // Nothing is left half done in there.
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: fmt::Debug> fmt::Debug for Page<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Awaited(tidings) => f.debug_tuple("Awaited").field(tidings).finish(),
            Self::Listens(_) => f.write_str("Listens(..)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tauri::ipc::InvokeResponseBody;

    use super::*;

    /// A page that writes down what it is told.
    fn page() -> (Channel<&'static str>, Arc<Mutex<Vec<String>>>) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let writes = Arc::clone(&told);
        let channel = Channel::new(move |body| {
            let InvokeResponseBody::Json(json) = body else {
                panic!("tidings are text");
            };
            writes.lock().unwrap().push(json);
            Ok(())
        });
        (channel, told)
    }

    #[test]
    fn the_latest_waits_for_the_page_and_is_told_once() {
        let tidings = Tidings::new(Some("first"));
        tidings.tell("second");
        let (channel, told) = page();
        tidings.listen(channel);
        tidings.tell("third");
        assert_eq!(*told.lock().unwrap(), [r#""second""#, r#""third""#]);
        let (channel, told) = page();
        tidings.listen(channel);
        assert_eq!(*told.lock().unwrap(), [""; 0]);
    }

    #[test]
    fn what_a_closed_page_does_not_take_waits_for_the_next_one() {
        let tidings = Tidings::new(None);
        tidings.listen(Channel::new(|_| Err(tauri::Error::WindowNotFound)));
        tidings.tell("said");
        let (channel, told) = page();
        tidings.listen(channel);
        assert_eq!(*told.lock().unwrap(), [r#""said""#]);
    }
}
