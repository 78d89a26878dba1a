//! The planner and the verdict, by hand and by property.
