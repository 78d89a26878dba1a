//! The menu of the sign, as `com.canonical.dbusmenu` (version 3) has it.
//!
//! Each line has a number that is its own, whichever lines are there: a host that tells what was chosen
//! may have drawn the menu of a moment ago. Hosts ask for the whole of it or for single lines.

use std::collections::HashMap;

use zbus::fdo;
use zbus::interface;
use zbus::object_server::SignalEmitter;
use zbus::zvariant::{OwnedValue, Value};

use super::{Heeds, Line, Sign, Wish};

/// The number of the menu as a whole.
pub(super) const ROOT: i32 = 0;

/// What hosts say when a line is chosen.
const CHOSEN: &str = "clicked";

/// What a line or the menu is like.
type Properties = HashMap<String, Value<'static>>;

/// A line, or the menu with its lines, as it is told: its number, what it is like, what is in it.
type Entry = (i32, Properties, Vec<Value<'static>>);

/// The menu on the bus.
pub(super) struct Menu {
    sign: Sign,
    revision: u32,
    heeds: Heeds,
}

impl Menu {
    pub(super) fn new(sign: Sign, heeds: Heeds) -> Self {
        Self {
            sign,
            revision: 1,
            heeds,
        }
    }

    /// Says this from now on; the revision that tells it from before.
    pub(super) fn say(&mut self, sign: Sign) -> u32 {
        self.sign = sign;
        self.revision = self.revision.wrapping_add(1);
        self.revision
    }

    fn properties(&self, id: i32) -> Option<Properties> {
        if id == ROOT {
            let submenu = Value::from("submenu");
            return Some([("children-display".to_owned(), submenu)].into());
        }
        Some(self.line_properties(self.line(id)?))
    }

    fn line_properties(&self, line: Line) -> Properties {
        let label = || {
            let text = literal(line.text(&self.sign).unwrap_or_default());
            ("label".to_owned(), Value::from(text))
        };
        match line {
            Line::State => [label(), ("enabled".to_owned(), Value::from(false))].into(),
            Line::Choice(_) => [label()].into(),
            Line::BelowState | Line::AboveQuit => {
                [("type".to_owned(), Value::from("separator"))].into()
            }
        }
    }

    /// The line of this number, if it is in the menu now.
    fn line(&self, id: i32) -> Option<Line> {
        Line::of(&self.sign)
            .into_iter()
            .find(|line| number(*line) == id)
    }
}

#[interface(name = "com.canonical.dbusmenu")]
impl Menu {
    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> u32 {
        3
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn status(&self) -> &str {
        "normal"
    }

    /// Hosts lay text out by the letters in it.
    #[zbus(property(emits_changed_signal = "const"))]
    fn text_direction(&self) -> &str {
        "none"
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn icon_theme_path(&self) -> Vec<String> {
        Vec::new()
    }

    fn get_layout(
        &self,
        parent: i32,
        depth: i32,
        _wanted: Vec<String>,
    ) -> fdo::Result<(u32, Entry)> {
        let properties = self.properties(parent).ok_or_else(unknown)?;
        let children = if parent == ROOT && depth != 0 {
            let child = |line: Line| {
                let nothing: Vec<Value<'static>> = Vec::new();
                Value::from((number(line), self.line_properties(line), nothing))
            };
            Line::of(&self.sign).into_iter().map(child).collect()
        } else {
            Vec::new()
        };
        Ok((self.revision, (parent, properties, children)))
    }

    fn get_group_properties(&self, ids: Vec<i32>, _wanted: Vec<String>) -> Vec<(i32, Properties)> {
        // No ids mean all of them.
        let all = || Line::of(&self.sign).into_iter().map(number).collect();
        let ids = if ids.is_empty() { all() } else { ids };
        ids.into_iter()
            .filter_map(|id| Some((id, self.properties(id)?)))
            .collect()
    }

    fn get_property(&self, id: i32, name: &str) -> fdo::Result<Value<'static>> {
        let mut properties = self.properties(id).ok_or_else(unknown)?;
        properties.remove(name).ok_or_else(unknown)
    }

    fn event(&self, id: i32, what: &str, _data: Value<'_>, _moment: u32) {
        if what != CHOSEN {
            return;
        }
        match self.line(id) {
            Some(Line::Choice(wish)) => (self.heeds)(wish),
            Some(Line::State | Line::BelowState | Line::AboveQuit) | None => {}
        }
    }

    fn event_group(&self, events: Vec<(i32, String, OwnedValue, u32)>) -> Vec<i32> {
        let mut strange = Vec::new();
        for (id, what, data, moment) in events {
            if id != ROOT && self.line(id).is_none() {
                strange.push(id);
            }
            self.event(id, &what, data.into(), moment);
        }
        strange
    }

    /// Whether what was asked before is no longer so.
    fn about_to_show(&self, _id: i32) -> bool {
        false
    }

    fn about_to_show_group(&self, _ids: Vec<i32>) -> (Vec<i32>, Vec<i32>) {
        (Vec::new(), Vec::new())
    }

    #[zbus(signal)]
    pub(super) async fn layout_updated(
        emitter: &SignalEmitter<'_>,
        revision: u32,
        parent: i32,
    ) -> zbus::Result<()>;
}

/// The number of a line, which no other line ever has.
fn number(line: Line) -> i32 {
    match line {
        Line::State => 1,
        Line::BelowState => 2,
        Line::Choice(Wish::Open) => 3,
        Line::Choice(Wish::Pause) => 4,
        Line::Choice(Wish::Resume) => 5,
        Line::AboveQuit => 6,
        Line::Choice(Wish::Quit) => 7,
    }
}

/// A text as a label shows it: single underscores would mark a letter to press.
fn literal(text: &str) -> String {
    text.replace('_', "__")
}

fn unknown() -> fdo::Error {
    fdo::Error::InvalidArgs("no such line".to_owned())
}
